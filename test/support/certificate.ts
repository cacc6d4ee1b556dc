// A certificate that nobody vouches for, with its key: for servers of tests, and no secret.

const key = [
  "-----BEGIN PRIVATE KEY-----",
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNpnZtTBJTMLX52YF",
  "h7ubsEb12s6M4MBfUEGVDJaWxwahRANCAAS69Acwe7nctVi7EdG/GAfX5XSNAAs/",
  "oDG7+cuB3bDtAyIpsX2tXW3dalV3wEpCxS2g72jNrYUkNyfSnKhzB7uI",
  "-----END PRIVATE KEY-----",
].join("\n");

const cert = [
  "-----BEGIN CERTIFICATE-----",
  "MIIBhTCCASugAwIBAgIUeS5SdeBqgIugihGcKdjQ7ete0rQwCgYIKoZIzj0EAwIw",
  "GDEWMBQGA1UEAwwNcHJvYmUuZXhhbXBsZTAeFw0yNjExMjExMjUxMDRaFw0zNjEx",
  "MTgxMjUxMDRaMBgxFjAUBgNVBAMMDXByb2JlLmV4YW1wbGUwWTATBgcqhkjOPQIB",
  "BggqhkjOPQMBBwNCAAS69Acwe7nctVi7EdG/GAfX5XSNAAs/oDG7+cuB3bDtAyIp",
  "sX2tXW3dalV3wEpCxS2g72jNrYUkNyfSnKhzB7uIo1MwUTAdBgNVHQ4EFgQUko4v",
  "gGqisKVY6GdYnGmtwmmtiq4wHwYDVR0jBBgwFoAUko4vgGqisKVY6GdYnGmtwmmt",
  "iq4wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAusA/NhekLRT/H",
  "Kqv9azJ8XpzphPL8D8TW4qdqiUwwPgIhAKTtMsGZReQr/8eKZG5mXEIpUoNl/mD+",
  "kEJP6q5U3s64",
  "-----END CERTIFICATE-----",
].join("\n");

export const selfSigned = { key, cert } as const;
