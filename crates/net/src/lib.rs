//! libp2p links: dial, listen, up, down, bounded frames.
