//! The store on both databases: the same tests, each with a database of its own.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod cohort_members;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod events;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod hash_keys;
#[cfg(test)]
mod look_up;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod people;
#[cfg(test)]
mod replica;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod transactions;
