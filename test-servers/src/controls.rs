/// What can be done to every server that tests may disturb, for a type with a field `server`.
macro_rules! controls {
    ($type:ty) => {
        impl $type {
            /// The port on 127.0.0.1.
            #[must_use]
            pub const fn port(&self) -> u16 {
                self.server.port()
            }

            /// Where its data and its log are.
            #[must_use]
            pub fn folder(&self) -> &std::path::Path {
                self.server.folder()
            }

            /// Freezes the server and all its children (SIGSTOP): connections stay open, and
            /// nothing answers.
            ///
            /// # Errors
            ///
            /// When the server is not running.
            pub fn pause(&self) -> Result<(), $crate::ServerError> {
                self.server.pause()
            }

            /// Lets a paused server go on.
            ///
            /// # Errors
            ///
            /// When the server is not running.
            pub fn resume(&self) -> Result<(), $crate::ServerError> {
                self.server.resume()
            }

            /// Kills the server and all its children (SIGKILL). What it had not yet written down
            /// is lost.
            ///
            /// # Errors
            ///
            /// When the server is not running, or does not go away.
            pub fn kill(&self) -> Result<(), $crate::ServerError> {
                self.server.kill()
            }

            /// Stops the server in an orderly way that does not wait for its clients.
            ///
            /// # Errors
            ///
            /// When the server is not running, or does not end.
            pub fn stop(&self) -> Result<(), $crate::ServerError> {
                self.server.stop()
            }

            /// Starts a server that was stopped or killed, on the same port with what it has
            /// written down, and waits until it answers.
            ///
            /// # Errors
            ///
            /// When it does not start.
            pub fn start_again(&self) -> Result<(), $crate::ServerError> {
                self.server.start_again()
            }

            /// Stops the server and starts it again.
            ///
            /// # Errors
            ///
            /// When it does not end or does not start.
            pub fn restart(&self) -> Result<(), $crate::ServerError> {
                self.stop()?;
                self.start_again()
            }
        }
    };
}

pub(crate) use controls;
