//! As much of HTTP as the proxy knows: a request whole, and an answer.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Reads one request whole.
pub(super) async fn request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut got, mut piece) = (Vec::new(), [0u8; 16 * 1024]);
    loop {
        if let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&got[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if got.len() >= end + 4 + length {
                return Ok(got);
            }
        }
        match client.read(&mut piece).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => got.extend_from_slice(&piece[..read]),
        }
    }
}

/// Takes a request, asks the target, and gives its whole answer.
pub(super) async fn ask(client: &mut TcpStream, target: SocketAddr) -> io::Result<Vec<u8>> {
    let asked = request(client).await?;
    let mut target = TcpStream::connect(target).await?;
    // So that the end of the answer is the end of the connection.
    let end = asked.windows(2).position(|two| two == b"\r\n").unwrap_or(0);
    target.write_all(&asked[..end]).await?;
    target.write_all(b"\r\nConnection: close").await?;
    target.write_all(&asked[end..]).await?;
    let mut answer = Vec::new();
    target.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Answers and closes.
pub(super) async fn reply(client: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    client.write_all(answer).await?;
    client.shutdown().await
}

/// An HTTP answer that ends its connection.
#[must_use]
pub fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
