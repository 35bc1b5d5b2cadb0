//! Stand-ins for the programs around CAPT: IPAM providers, Tinkerbell, BMCs, Cluster API.
