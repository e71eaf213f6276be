// Command simulation counts how often balancers send a client elsewhere than where its session is, while targets and nodes come and go. It
// plays one history with four ways to find a target, and writes the counts as Markdown:
//
//   - hash % n: the hash of the client's address modulo the number of targets that the node takes for usable.
//   - Maglev: the table of Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (2016), with 65537 entries and
//     without connection tracking.
//   - rendezvous: the placement of package target, with a table of sessions in each node.
//   - rendezvous with a store: the same, with the tables in front of a store as package stores describes it.
//
// # What is played
//
// A client has one connection at a time. It comes back some seconds after one has ended, or has been cut: mostly to the same node, as a router chooses it, and at times
// to any other. Its session lives while it has a connection, and for session_expiry after that. A node learns by its dials, and so at
// once, that a target fails, and at a delay of its own that it accepts again or that the config has changed. A client is misplaced if its session lives, its target accepts connections from the node to which the client has come and is
// in that node's config, and the node sends it to another target, where its session is from then on.
//
// No client has to do with another, so that each is played alone, from the beginning to the end: the memory does not grow with
// their number. The same seed gives the same counts on every machine, with any number of workers.
package main
