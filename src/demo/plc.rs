//! The demo machine's controller: Modbus/TCP, with registers that move.
//!
//! ```text
//!  input registers    0 strokes, high word   1 strokes, low word   2 ram, per mille
//!                     3 force, 0.1 kN        4 oil, 0.1 deg C      5 running, 0 or 1
//!  holding register   0 speed, strokes a minute
//!  coil               0 motor
//! ```

use std::{future, io, sync::Arc};

use tokio::net::TcpListener;
use tokio_modbus::{
    ExceptionCode, Request, Response,
    server::{Service, tcp::Server, tcp::accept_tcp_connection},
};
use tracing::debug;

use super::press::{Press, Reading};
use crate::clock::Now;

#[derive(Clone)]
struct Controller(Arc<Press>);

/// Serves the controller until `listener` fails.
///
/// # Errors
///
/// When no connection can be accepted any more.
pub(super) async fn serve(listener: TcpListener, press: Arc<Press>) -> io::Result<()> {
    let controller = Controller(press);
    let on_connected = |stream, peer| {
        let controller = controller.clone();
        future::ready(accept_tcp_connection(stream, peer, move |_| Ok(Some(controller.clone()))))
    };
    Server::new(listener)
        .serve(&on_connected, |error| debug!(%error, "a Modbus connection ended"))
        .await
}

impl Service for Controller {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = future::Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Request<'static>) -> Self::Future {
        future::ready(self.answer(&request, Now::read()))
    }
}

impl Controller {
    fn answer(&self, request: &Request<'static>, now: Now) -> Result<Response, ExceptionCode> {
        let Self(press) = self;
        let reading = press.read(now.mono);
        match request {
            Request::ReadInputRegisters(first, count) => {
                window(&inputs(reading), *first, *count).map(Response::ReadInputRegisters)
            }
            Request::ReadHoldingRegisters(first, count) => {
                window(&[reading.speed], *first, *count).map(Response::ReadHoldingRegisters)
            }
            Request::ReadCoils(first, count) => {
                window(&[reading.running], *first, *count).map(Response::ReadCoils)
            }
            Request::WriteSingleCoil(0, motor) => {
                press.run(*motor, now.mono);
                Ok(Response::WriteSingleCoil(0, *motor))
            }
            Request::WriteSingleRegister(0, speed) => {
                press.set_speed(*speed, now.mono);
                Ok(Response::WriteSingleRegister(0, *speed))
            }
            Request::WriteSingleCoil(..) | Request::WriteSingleRegister(..) => {
                Err(ExceptionCode::IllegalDataAddress)
            }
            Request::ReadDiscreteInputs(..)
            | Request::WriteMultipleCoils(..)
            | Request::WriteMultipleRegisters(..)
            | Request::ReportServerId
            | Request::MaskWriteRegister(..)
            | Request::ReadWriteMultipleRegisters(..)
            | Request::ReadDeviceIdentification(..)
            | Request::Custom(..) => Err(ExceptionCode::IllegalFunction),
        }
    }
}

fn inputs(reading: Reading) -> [u16; 6] {
    let [a, b, c, d] = reading.strokes.to_be_bytes();
    [
        u16::from_be_bytes([a, b]),
        u16::from_be_bytes([c, d]),
        reading.ram,
        reading.force,
        reading.oil,
        u16::from(reading.running),
    ]
}

fn window<T: Copy>(all: &[T], first: u16, count: u16) -> Result<Vec<T>, ExceptionCode> {
    let first = usize::from(first);
    all.get(first..first.saturating_add(usize::from(count)))
        .map(<[T]>::to_vec)
        .ok_or(ExceptionCode::IllegalDataAddress)
}

#[cfg(test)]
mod tests {
    use tokio_modbus::client::{Reader, Writer, tcp};

    use super::*;

    #[tokio::test]
    async fn a_modbus_client_reads_moving_registers_and_stops_the_motor() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let press = Arc::new(Press::new(Now::read().mono));
        let talk = async {
            let mut client = tcp::connect(address).await.unwrap();
            let read = client.read_input_registers(0, 6).await.unwrap().unwrap();
            assert_eq!(read.len(), 6);
            assert_eq!(read[5], 1);
            assert!(client.read_input_registers(4, 6).await.unwrap().is_err());
            client.write_single_coil(0, false).await.unwrap().unwrap();
            client.write_single_register(0, 77).await.unwrap().unwrap();
            assert_eq!(client.read_holding_registers(0, 1).await.unwrap().unwrap(), [77]);
        };
        tokio::select! {
            ended = serve(listener, press.clone()) => panic!("{ended:?}"),
            () = talk => {}
        }
        assert!(!press.read(Now::read().mono).running);
    }
}
