// Loaded before every test: pods have only loopback unless a test says otherwise, so that tests
// neither wait for interfaces nor leave a trace in this host's rules.

process.env.PEAPOD_NETWORK ??= "none";
