//! Types of Cluster API Provider Tinkerbell and the parts it uses of its neighbours.
