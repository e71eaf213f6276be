// Package loglimit bounds how many lines per second strangers can make a server write into its log.
//
// A Limiter admits some lines in each window of time and counts the others; a Logger does that for a slog.Logger. When a
// window ends in which lines were left out, one line tells how many. So a flood costs a bounded number of lines, and
// none of it goes unmentioned.
//
// The zero value of a Limiter with its LeftOut set is ready for use. A Limiter sets a timer with the first line of a
// window, so it needs no closing; LeftOut is called on the timer's goroutine, or on that of the caller of Flush. All
// methods may be called on any goroutine.
package loglimit
