"""What every test gets: nothing by default; fixtures live beside the tests that use them."""
