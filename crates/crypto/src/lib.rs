//! Who a realm is: sealing, opening, signing, verifying, keys at rest.
