//! Why connections to a broker end: one sentence for each way.

use rumqttc::v5::{
    ConnectionError, StateError, TlsError as TlsFailure, mqttbytes::v5::ConnectReturnCode,
};

use super::{super::name_is_unknown, tls};

/// Why a connection ended.
pub(super) struct End {
    pub(super) reason: String,
    /// Trying again soon makes no sense.
    pub(super) needs_a_person: bool,
    /// It was made, and the broker ended it without a word.
    pub(super) closed_by_broker: bool,
}

/// An end after which trying again soon makes sense.
pub(super) fn end(reason: String) -> End {
    End {
        reason,
        needs_a_person: false,
        closed_by_broker: false,
    }
}

/// One sentence for each way in which a connection ends.
pub(super) fn sort(address: &str, error: &ConnectionError) -> End {
    let person = |reason| End {
        reason,
        needs_a_person: true,
        closed_by_broker: false,
    };
    // With TLS 1.3 a broker refuses our certificate after the handshake, and what it says comes as a packet that cannot be read.
    let said: &(dyn std::error::Error + 'static) = match error {
        ConnectionError::MqttState(StateError::Deserialization(inner)) => inner,
        other => other,
    };
    if let Some(why) = tls::distrust(said, "mqtt", "url") {
        return person(format!("the broker {address} could not be trusted: {why}"));
    }
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => person(format!(
            "the broker {address} refuses user and password: check mqtt.user and mqtt.password_file"
        )),
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::UnsupportedProtocolVersion
            | ConnectReturnCode::RefusedProtocolVersion,
        ) => person(format!(
            "the broker {address} does not speak MQTT 5: update it or use another"
        )),
        ConnectionError::ConnectionRefused(code) => end(format!(
            "the broker {address} refuses the connection ({code:?})"
        )),
        ConnectionError::Tls(TlsFailure::Io(error)) | ConnectionError::Io(error) => end(format!(
            "the broker {address} cannot be reached ({error}){}",
            advice(error)
        )),
        ConnectionError::Tls(error) => person(format!(
            "the broker {address} could not be trusted: {}",
            innermost(error)
        )),
        ConnectionError::Timeout(_) => end(format!("the broker {address} does not answer")),
        ConnectionError::MqttState(StateError::ConnectionAborted) => End {
            closed_by_broker: true,
            ..end(format!("the broker {address} closed the connection"))
        },
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => end(
            format!("the broker {address} ended the connection ({reason_code:?})"),
        ),
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            end(format!("the broker {address} does not answer any more"))
        }
        other => end(format!(
            "the connection to the broker {address} was lost ({other})"
        )),
    }
}

/// What to do about a broker that cannot be reached, where it is not plain.
fn advice(error: &std::io::Error) -> &'static str {
    if name_is_unknown(&error.to_string()) {
        ": check the network's DNS and the name in mqtt.url"
    } else {
        ""
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
