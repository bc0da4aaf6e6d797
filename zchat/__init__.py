"""zchat: chat and messaging for people, scripts and bots over ZeroMQ."""
