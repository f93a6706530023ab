"""apps: what people run at a desk: predict, listen and the browser demo."""
