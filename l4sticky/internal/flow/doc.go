// Package flow decides how the two directions of an established connection end: half-close, lingering close, resets,
// time-outs, and whose failure it was.
//
// It decides and does nothing else: there is no socket, no goroutine and no clock in it. An executor tells a Flow what
// has happened at the two sockets and what time it is, and carries out the Actions that come back.
//
// A connection is in one of these states. An event without an entry changes nothing.
//
//	 state         | client ended   | target ended    | target cut    | target failed  | client failed
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 Open,         |                | SeekingEnded    | SeekingCut    |                |
//	  if fresh     |                |  redispatch     |  blame target |                |
//	               |                |                 |  redispatch   |                |
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 Open          | ClientEnded    | TargetEnded     | Severed       | LastWords      | Over
//	               |  shut target   |  shut client    |  blame target |  blame target  |  blame client
//	               |                |                 |  discard      |  discard       |  reset target
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 ClientEnded   |                | Over            | Severed       | LastWordsEnded | Over
//	               |                |  shut client    |  blame target |  blame target  |  blame client
//	               |                |                 |               |                |  reset target
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 TargetEnded   | Over           |                 |               | Lingering      | Over
//	               |                |                 |               |  discard       |  blame client
//	               |                |                 |               |                |  reset target
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 LastWords,    |                |                 | SeekingCut    |                |
//	  if fresh     |                |                 |  redispatch   |                |
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 LastWords     | LastWordsEnded | Lingering       | Severed       |                | Over
//	               |                |  shut client    |               |                |
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 LastWordsEnded|                | Over            | Severed       |                | Over
//	               |                |  shut client    |               |                |
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 Lingering     | Over           |                 |               |                | Over
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 Severed       |                |                 |               |                | Over
//	---------------+----------------+-----------------+---------------+----------------+--------------
//	 SeekingEnded  |                |                 |               |                |
//	 SeekingCut    |                |                 |               |                |
//
// An end is one that was read after all that came before it was delivered. "Target cut" is the end of what can be read
// from a target that has reset the connection, "target failed" a write to it that failed, while there may be more to read.
// A connection is fresh while nothing was taken from its client, nor the end of its stream, and nothing has come from its target,
// and for as long as Limits.Redispatch allows. Where there is an entry for a fresh one, it holds instead of the other. An
// executor then looks for another target: with that, Begin makes the connection Open again; without one, Settle does to it what the
// end of the target does to one that is not fresh. What happens to the client meanwhile, the executor meets again later.
//
// Further events hold in every state: Stop makes the connection be over, Cut does so with a reset for both sides, and Tick
// tells that the time of Due has come, which ends a silent connection and one that is too old by a reset for both, a lingering one by a
// close, and a severed one by a reset of the client once that has what there was of its stream.
//
// A Flow promises:
//
//   - A stream that was cut short never ends like a whole one: the other side sees a reset.
//   - What a target said before it failed is delivered to the client first.
//   - A side, which is another one with each target, is blamed once at most, and only for the failure that came first. A target that has ended its stream has
//     left: nothing that happens to it later is a failure.
//   - A target is left for another one only while nothing was sent either way but what was put in front of the client's
//     bytes. After Bind, the connection stays with its target.
//   - A connection ends in one Action with Close. After that there are no others.
//
// A Flow belongs to its executor, which calls it from one goroutine at a time.
package flow
