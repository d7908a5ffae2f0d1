"""Money: what a task may cost, and the budgets that limit what is started inside of them."""
