//! One stream of changes, by LISTEN/NOTIFY or by polling the sequence.

use crate::StoreError;
use crate::models::ChangeRow;

/// Follows the `changes` table. Reconnects by itself; each reconnection resynchronises by sequence.
#[derive(Debug)]
pub struct ChangeFeed {}

impl ChangeFeed {
    /// Waits for changes that were not returned before; never empty. An error means that the last attempt to ask the
    /// database failed; calling again goes on after a pause.
    pub async fn next(&mut self) -> Result<Vec<ChangeRow>, StoreError> {
        todo!()
    }
}
