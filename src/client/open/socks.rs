//! A SOCKS5 listener (RFC 1928) that reaches every TCP target of the session, and nothing else.
//!
//! Names are not resolved here: the device does that, if a target names them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use fast_socks5::{
    ReplyError, Socks5Command,
    server::{Socks5ServerProtocol, SocksServerError, states::CommandRead},
    util::target_addr::TargetAddr,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::timeout,
};

use super::{fate::ChannelFault, plan, session::Session, tcp};
use crate::{
    audit::OfferFault,
    client::show::OneLine,
    machines::{Destination, Proto},
    tasks::Scope,
};

/// A program says where it wants to go within this time.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);

/// Serves `socket` until its scope ends.
pub(super) async fn serve(socket: TcpListener, session: Arc<Session>, scope: Scope) {
    tcp::accept(&socket, &session, &scope, |local, permit| {
        carry(local, Arc::clone(&session), permit)
    })
    .await;
}

async fn carry(local: TcpStream, session: Arc<Session>, _permit: OwnedSemaphorePermit) {
    let asked = match timeout(REQUEST_TIME_MAX, request(local)).await {
        Ok(Ok(asked)) => asked,
        Ok(Err(error)) => {
            return session.terminal().detail(format_args!("SOCKS: not understood: {error}"));
        }
        Err(_) => return session.terminal().detail("SOCKS: no request in time"),
    };
    let (reply, command, wanted) = asked;
    if command != Socks5Command::TCPConnect {
        return refuse(reply, &ReplyError::CommandNotSupported).await;
    }
    let destination = destination(&wanted);
    let Some(place) = plan::covering(&session.opened().targets, destination.clone()) else {
        let note = format!("SOCKS: {destination} is not within the tunnel's targets");
        session.terminal().note(OneLine(note));
        return refuse(reply, &ReplyError::ConnectionNotAllowed).await;
    };
    match session.channel(&place).await {
        Ok(channel) => {
            // The address that the device connects from is its own affair.
            let bound = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            match timeout(REQUEST_TIME_MAX, reply.reply_success(bound)).await {
                Ok(Ok(local)) => tcp::pump(local, channel, &place, &session).await,
                Ok(Err(_)) | Err(_) => session.terminal().detail("SOCKS: the program went away"),
            }
        }
        Err(fault) => {
            session.refused(&place, &fault);
            refuse(reply, &replied(&fault)).await;
        }
    }
}

type Asked = (Socks5ServerProtocol<TcpStream, CommandRead>, Socks5Command, TargetAddr);

async fn request(local: TcpStream) -> Result<Asked, SocksServerError> {
    Socks5ServerProtocol::accept_no_auth(local).await?.read_command().await
}

async fn refuse(reply: Socks5ServerProtocol<TcpStream, CommandRead>, error: &ReplyError) {
    // The program may be gone; it learns it then from the closed connection.
    let _ = timeout(REQUEST_TIME_MAX, reply.reply_error(error)).await;
}

fn destination(wanted: &TargetAddr) -> Destination {
    let (host, port) = match wanted {
        TargetAddr::Ip(addr) => (addr.ip().to_canonical().to_string(), addr.port()),
        TargetAddr::Domain(name, port) => (name.clone(), *port),
    };
    Destination { proto: Proto::Tcp, host, port }
}

fn replied(fault: &ChannelFault) -> ReplyError {
    match fault {
        ChannelFault::Refused { fault, .. } => match fault {
            OfferFault::Target => ReplyError::HostUnreachable,
            OfferFault::Ceiling
            | OfferFault::LocalSwitch
            | OfferFault::NotGranted
            | OfferFault::Warrant => ReplyError::ConnectionNotAllowed,
            OfferFault::Limit | OfferFault::NoSession | OfferFault::Internal => {
                ReplyError::GeneralFailure
            }
        },
        ChannelFault::TimedOut => ReplyError::ConnectionTimeout,
        ChannelFault::TakenBack(_) => ReplyError::ConnectionRefused,
        ChannelFault::Over | ChannelFault::Leg(_) => ReplyError::GeneralFailure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::{Hosts, Ports, Target};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_program_may_ask_by_name_or_by_address() {
        let asks: [(&[u8], &str); 3] = [
            (&[5, 1, 0, 3, 3, b'p', b'l', b'c', 1, 246], "tcp://plc:502"),
            (&[5, 1, 0, 1, 10, 0, 0, 5, 0, 80], "tcp://10.0.0.5:80"),
            (
                &[5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 5, 0, 80],
                "tcp://10.0.0.5:80",
            ),
        ];
        for (ask, expected) in asks {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut program = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            program.write_all(&[5, 1, 0]).await.unwrap();
            program.write_all(ask).await.unwrap();
            let (local, _) = listener.accept().await.unwrap();
            let (reply, command, wanted) = request(local).await.unwrap();
            assert_eq!(command, Socks5Command::TCPConnect);
            assert_eq!(destination(&wanted).to_string(), expected);
            refuse(reply, &ReplyError::ConnectionNotAllowed).await;
            let mut said = Vec::new();
            program.read_to_end(&mut said).await.unwrap();
            assert_eq!(said[..4], [5, 0, 5, 2], "no log-in needed; not allowed by ruleset");
        }
    }

    #[test]
    fn a_name_is_reached_only_where_a_target_names_it() {
        let target = Target {
            name: "plc".parse().unwrap(),
            proto: Proto::Tcp,
            hosts: Hosts::Dns("plc.cell".into()),
            ports: Ports { first: 502, last: 502 },
        };
        let covered = |host: &str, port| {
            let wanted = destination(&TargetAddr::Domain(host.into(), port));
            plan::covering(std::slice::from_ref(&target), wanted).is_some()
        };
        assert!(covered("PLC.cell", 502));
        assert!(!covered("plc.cell", 503));
        assert!(!covered("10.0.0.5", 502));
    }
}
