"""`envkit login` and `envkit logout`: the logins of people to stores."""
