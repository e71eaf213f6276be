package adminapi

import (
	"time"

	"github.com/caddyserver/caddy/v2"
)

// A Pool is what handlers of the same pool share.
type Pool struct {
	Pool string `json:"pool"`
	// Connections are the clients that have one, also those that have no upstream yet.
	Connections int `json:"connections"`
	// Waiting are the connections among them that wait for an upstream that is full.
	Waiting int `json:"waiting"`
	// Node is the ID of the process that answers. It is another one after a restart.
	Node string `json:"node"`
	// Nodes are all that share the sessions of the pool, as the session store has it. There are none without a store.
	Nodes []Node `json:"nodes,omitempty"`
	// StoreUp tells whether the session store works. It is left out without a store.
	StoreUp   *bool      `json:"store_up,omitempty"`
	Sessions  Sessions   `json:"sessions"`
	Upstreams []Upstream `json:"upstreams"`
}

// A Node is a process that shares the sessions of a pool.
type Node struct {
	ID string `json:"id"`
	// Host is the name of its machine.
	Host     string    `json:"host"`
	LastSeen time.Time `json:"last_seen"`
	// Connections are those of the pool that were open then.
	Connections int `json:"connections"`
}

// Sessions counts the sessions of a pool or of an upstream.
type Sessions struct {
	// Live are those whose clients have connections, and Idle the others.
	Live int `json:"live"`
	Idle int `json:"idle"`
	// Limit is how many the pool may have. For an upstream it is left out.
	Limit int `json:"limit,omitempty"`
}

// An Upstream is a target of a pool.
type Upstream struct {
	// Address is by what the target is placed and named. Upstream is that of the config, which may be a name that stands for several.
	Address  string `json:"address"`
	Upstream string `json:"upstream"`
	// State is one of active, deactivated, draining, drained, maintenance and removed.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Since is when the state began, and Until when a deactivation ends by itself.
	Since time.Time  `json:"since"`
	Until *time.Time `json:"until,omitempty"`
	// Weight and MaxConnections are those that count now; a limit of 0 is none.
	Weight         int  `json:"weight"`
	MaxConnections int  `json:"max_connections"`
	Backup         bool `json:"backup"`

	Connections int      `json:"connections"`
	Sessions    Sessions `json:"sessions"`
	// BytesUp went to the target, and BytesDown to its clients.
	BytesUp      int64      `json:"bytes_up"`
	BytesDown    int64      `json:"bytes_down"`
	Dials        int64      `json:"dials"`
	DialFailures int64      `json:"dial_failures"`
	LastError    *LastError `json:"last_error"`
	// Override is what was set by PATCH, if anything is.
	Override *Override `json:"override,omitempty"`
}

// LastError is why the last of the dials that failed did so.
type LastError struct {
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// An Override is what an operator has set for an upstream, beside the config. What is nil or empty is not set.
type Override struct {
	// State is active, which ends all that was set before, drain or maintenance.
	State          string `json:"state,omitempty"`
	Weight         *int   `json:"weight,omitempty"`
	MaxConnections *int   `json:"max_connections,omitempty"`
	// Deadline is how long what is there may stay after a drain or maintenance began. What is left is closed then.
	Deadline *caddy.Duration `json:"deadline,omitempty"`
	// Rate is how many connections are closed in a second after the deadline.
	Rate *float64 `json:"rate,omitempty"`
}

// A Session is what binds a client to an upstream.
type Session struct {
	Client string `json:"client"`
	// Upstream is the address of the client's target, which is empty while it has none yet.
	Upstream    string    `json:"upstream"`
	Connections int       `json:"connections"`
	Since       time.Time `json:"since"`
	// ExpiresIn is in how many seconds an idle session ends, and null for one with connections.
	ExpiresIn *float64 `json:"expires_in"`
}

// A SessionPage is a part of the list of sessions.
type SessionPage struct {
	Sessions []Session `json:"sessions"`
	// Cursor is what to ask for the next page with. It is empty on the last one.
	Cursor string `json:"cursor,omitempty"`
}

// Forgotten is the answer to a DELETE of sessions.
type Forgotten struct {
	Sessions int `json:"sessions"`
	// Connections are those that are being closed.
	Connections int `json:"connections"`
}

// An Import is what a POST of sessions takes.
type Import struct {
	Sessions []ImportedSession `json:"sessions"`
}

// An ImportedSession is a session that another balancer, or this one, has had.
type ImportedSession struct {
	Client string `json:"client"`
	// Upstream is the address of a target of the pool, or an upstream of the config that stands for one target.
	Upstream string `json:"upstream"`
	// Since is when the session began. Without it, that is now.
	Since *time.Time `json:"since,omitempty"`
	// ExpiresIn is in how many seconds the session ends unless its client comes, at most the pool's session_expiry, which it is
	// without a value. Negative is an error.
	ExpiresIn *float64 `json:"expires_in,omitempty"`
}

// Imported is the answer to a POST of sessions: how many there are of each kind, which makes all together.
type Imported struct {
	Imported int `json:"imported"`
	// Present are those whose clients have a session already, which they keep.
	Present int `json:"present"`
	// Expired are those that have no time left.
	Expired int `json:"expired"`
	// NoRoom are those for which the pool's max_sessions leave no room.
	NoRoom int `json:"no_room"`
	// UnknownUpstreams counts those at upstreams that the pool does not have, by their addresses.
	UnknownUpstreams map[string]int `json:"unknown_upstreams"`
}

// An Explanation tells where a client goes, and why.
type Explanation struct {
	Client string `json:"client"`
	// Upstream is where its next connection goes. It is empty if there is none that could take it.
	Upstream string `json:"upstream"`
	// Reason is session, placement, failover, drained, full, override or none.
	Reason string `json:"reason"`
	Text   string `json:"text"`
	// Session is the client's session, if it has one.
	Session *Session `json:"session,omitempty"`
	// Placement is where the client would go now if it had no session.
	Placement string `json:"placement"`
	// Order is all targets in the order in which they would follow.
	Order []Candidate `json:"order"`
}

// A Candidate is a target in the order in which a client would be placed.
type Candidate struct {
	Address string `json:"address"`
	State   string `json:"state"`
	// Usable is false for a target that the client would not get now.
	Usable bool   `json:"usable"`
	Reason string `json:"reason,omitempty"`
}

// A Plan is what a reload with a config would do to the pools.
type Plan struct {
	// Pools are those that the running config has or the other one would have.
	Pools []PoolPlan `json:"pools"`
	// Warnings are what the adapter says of a config that is not JSON.
	Warnings []string `json:"warnings,omitempty"`
}

// A PoolPlan is what a reload would do to one pool.
type PoolPlan struct {
	Pool string `json:"pool"`
	// Change is added, removed, changed or unchanged.
	Change string `json:"change"`
	// Options are the names of those that would have another value.
	Options   []string       `json:"options,omitempty"`
	Upstreams []UpstreamPlan `json:"upstreams"`
}

// An UpstreamPlan is what a reload would do to one upstream of a config.
type UpstreamPlan struct {
	Upstream string `json:"upstream"`
	Change   string `json:"change"`
	// Options are the names of those that would have another value.
	Options []string `json:"options,omitempty"`
	// Sessions are those that would move: the live ones with their next connection, the idle ones when their clients come.
	Sessions Sessions `json:"sessions"`
	// Connections are those that would go on at an upstream which is removed.
	Connections int `json:"connections"`
}

// A RebalanceRequest says how sessions are to be brought to where placement would put them now.
type RebalanceRequest struct {
	// Close means that connections are reset whose clients belong elsewhere. Else these clients move when they come back.
	Close bool `json:"close,omitempty"`
	// Deadline is how long clients may take to do so before connections are reset. Without one it begins at once.
	Deadline *caddy.Duration `json:"deadline,omitempty"`
	// Rate is how many connections are reset in a second. By default it takes 30 seconds.
	Rate *float64 `json:"rate,omitempty"`
}

// A Rebalance is how far one is.
type Rebalance struct {
	Running bool `json:"running"`
	RebalanceRequest
	// Moved are the sessions without connections that were moved, Closed the connections that were reset, and Left the sessions with
	// connections that belong elsewhere.
	Moved  int `json:"moved"`
	Closed int `json:"closed"`
	Left   int `json:"left"`
}
