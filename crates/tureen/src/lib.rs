//! A selective forwarding unit: async handles and events over Workers, Routers, Transports, Producers and Consumers.
