//! What a socket is asked for that no library asks for: how much must have arrived before it counts as readable, and how much
//! may wait to be sent.

use std::os::fd::AsFd;

/// Sets how many bytes must have arrived before a reader of `socket` is woken (`SO_RCVLOWAT`, socket(7)). With 1
/// they are woken by the first one, also by one that has arrived already. Where the system refuses, 1 stays in force.
pub fn wake_at(socket: &impl AsFd, bytes: usize) {
    #[cfg(target_os = "linux")]
    linux::wake_at(socket.as_fd(), bytes);
    #[cfg(not(target_os = "linux"))]
    let _ = (socket.as_fd(), bytes);
}

/// Sets how many unsent bytes `socket` may hold and still count as writable (`TCP_NOTSENT_LOWAT`, tcp(7)). Else the system
/// takes megabytes for a client who reads slowly, and what he gets is old. Where the system refuses, that stays so.
pub fn hold_at_most(socket: &impl AsFd, bytes: u32) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(socket).set_tcp_notsent_lowat(bytes) {
        tracing::debug!(%error, "a socket keeps what it cannot send");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (socket.as_fd(), bytes);
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod linux {
    use std::{
        mem,
        os::fd::{AsRawFd, BorrowedFd},
        ptr,
    };

    pub(in crate::base) fn wake_at(socket: BorrowedFd<'_>, bytes: usize) {
        let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        let length = mem::size_of_val(&bytes) as libc::socklen_t;
        // SAFETY: the socket is open while it is borrowed, and the system reads one integer, which outlives the call.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVLOWAT,
                ptr::from_ref(&bytes).cast(),
                length,
            );
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{io::ErrorKind, time::Duration};

    use tokio::{
        io::AsyncWriteExt,
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    use super::*;

    /// Long enough for a wake-up that should not come.
    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn who_waits_is_woken_by_enough_or_when_the_mark_falls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut sender = TcpStream::connect(address).await.unwrap();
        let (receiver, _) = listener.accept().await.unwrap();
        // Loopback's packets are so large that a window of the usual size wakes the reader, lest it fill up.
        let buffer = socket2::SockRef::from(&receiver).set_recv_buffer_size(1 << 20);
        buffer.unwrap();
        wake_at(&receiver, 10_000);
        let mut buffer = [0; 20_000];

        let emptied = || {
            let nothing = receiver.try_read(&mut [0]).unwrap_err();
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        };
        emptied();

        sender.write_all(&[1; 4_000]).await.unwrap();
        let early = timeout(SHORT, receiver.readable()).await;
        assert!(early.is_err(), "woken by less than the mark");
        sender.write_all(&[2; 8_000]).await.unwrap();
        timeout(LONG, receiver.readable()).await.unwrap().unwrap();
        assert_eq!(receiver.try_read(&mut buffer).unwrap(), 12_000);
        emptied();

        sender.write_all(&[3; 500]).await.unwrap();
        let early = timeout(SHORT, receiver.readable()).await;
        assert!(early.is_err(), "woken by less than the mark");
        wake_at(&receiver, 1);
        timeout(LONG, receiver.readable()).await.unwrap().unwrap();
        assert_eq!(receiver.try_read(&mut buffer).unwrap(), 500);
    }
}
