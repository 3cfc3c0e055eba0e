//! About how many bytes the records of the ledger were on the wire: each kind of receiver knows what its protocol adds.

pub(crate) use crate::outbox::sinks::wire_cost::Sum;
use crate::outbox::sinks::{registry, wire_cost::Sent};

/// About how many bytes that was on the wire.
pub(crate) fn on_wire(kind: &str, recipient: &str, sum: Sum) -> u64 {
    registry::wire_cost(&Sent {
        recipient,
        live: kind == super::LIVE,
        sum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Sum = Sum {
        records: 1,
        count: 1,
        bytes: 100_000,
    };

    #[test]
    fn tls_costs_more_than_none_and_a_folder_costs_nothing() {
        let wire = |kind, recipient| on_wire(kind, recipient, ONE);
        assert_eq!(wire("media", "folder /mnt/nas"), 100_000);
        let plain = wire("media", "s3://b/ at http://h/");
        assert!((104_000..105_500).contains(&plain), "{plain}");
        for secure in ["s3://b/ at https://h/", "s3://b/ at Amazon S3"] {
            assert!(wire("media", secure) > plain);
        }
        assert!(wire("alert", "mqtts://h:8883") > wire("alert", "mqtt://h:1883"));
        assert!(wire("media", "webdavs://h/") > wire("media", "webdav://h/"));
        for (secure, plain) in [
            ("webhook https://h/", "webhook http://h/"),
            ("ntfy https://h/", "ntfy http://h/"),
        ] {
            let plain = wire("alert", plain);
            assert!(wire("alert", secure) > plain && plain > 104_000);
        }
    }

    #[test]
    fn keep_alives_are_mostly_packets() {
        let pings = Sum {
            records: 1,
            count: 1440,
            bytes: 1440,
        };
        let wire = on_wire(crate::outbox::ledger::LIVE, "mqtt://h:1883", pings);
        assert_eq!(wire, 76_372);
    }
}
