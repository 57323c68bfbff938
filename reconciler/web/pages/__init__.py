"""The pages: rendered here, readable without JavaScript, brought to life by htmx."""
