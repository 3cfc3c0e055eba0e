//! Connections to an MQTT 5 broker: how one is made, and one sentence for each way in which it ends.
//!
//! In: address, login and certificates of a broker. Out: the settings of a connection that somebody else keeps.

use std::time::Duration;

use rumqttc::{
    TlsConfiguration, Transport,
    v5::{
        ConnectionError, MqttOptions, StateError, TlsError as TlsFailure,
        mqttbytes::v5::ConnectReturnCode,
    },
};

use super::{EndpointError, name_is_unknown, tls};
use crate::config::MqttConfig;

/// Keep-alives below this are refused by the client.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A connection to the broker of `config` under the name `client`, and the broker's address without secrets.
///
/// # Errors
/// When address or certificates are of no use.
pub fn connection(
    config: &MqttConfig,
    client: &str,
) -> Result<(MqttOptions, String), EndpointError> {
    let refuse = |reason: &str| EndpointError::Address {
        setting: "mqtt.url",
        url: config.url.to_string(),
        reason: reason.to_owned(),
    };
    let tls = match config.url.scheme() {
        "mqtt" => false,
        "mqtts" => true,
        _ => {
            return Err(refuse(
                "write it like mqtt://host:1883 or mqtts://host:8883",
            ));
        }
    };
    let host = config
        .url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| refuse("the host is missing: write it like mqtt://host:1883"))?;
    let port = config.url.port().unwrap_or(if tls { 8883 } else { 1883 });
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut options = MqttOptions::new(client, if tls { bare } else { host }, port);
    options.set_keep_alive(config.keep_alive.max(SHORTEST_KEEP_ALIVE));
    let mut network = rumqttc::NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    if let Some(user) = &config.user {
        let password = config
            .password
            .as_ref()
            .map_or("", |secret| secret.expose());
        options.set_credentials(user, password);
    }
    if tls {
        let own = match (&config.client_cert, &config.client_key) {
            (Some(certificate), Some(key)) => Some(tls::Own { certificate, key }),
            _ => None,
        };
        let client = tls::client(config.ca_file.as_deref(), own)?;
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(client)));
    }
    Ok((options, format!("{}://{host}:{port}", config.url.scheme())))
}

/// Why a connection ended.
pub struct End {
    /// What happened, in one sentence with the broker's address.
    pub reason: String,
    /// Trying again soon makes no sense.
    pub needs_a_person: bool,
    /// It was made, and the broker ended it without a word.
    pub closed_by_broker: bool,
}

/// An end after which trying again soon makes sense.
pub fn end(reason: String) -> End {
    End {
        reason,
        needs_a_person: false,
        closed_by_broker: false,
    }
}

/// One sentence for each way in which a connection ends.
pub fn sort(address: &str, error: &ConnectionError) -> End {
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

/// Why a connection to the broker at `address` ended, in one sentence.
pub fn why_it_ended(address: &str, error: &ConnectionError) -> String {
    sort(address, error).reason
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
