"""Management objects and the tree that holds them."""
