package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/rueidis"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// connections holds those of all configs by their options, so that a reload keeps them.
var connections = caddy.NewUsagePool()

const (
	// maxPending is the largest number of calls whose answers are awaited. It must be less than the queue of a connection has room
	// for, which is 1 << queueScale, since a call that finds no room there waits whatever its context does.
	maxPending = 96
	queueScale = 7

	// pause is the time between two attempts to connect for the first time.
	pause = time.Second
)

var (
	errClosed     = errors.New("the store is closed")
	errConnecting = errors.New("not connected yet")
)

// A connection is what stores with the same options share: a client of the servers, once they could be reached. The
// client itself connects again whenever it has to.
type connection struct {
	option  rueidis.ClientOption
	pending chan struct{} // has an element for each call whose answer is awaited
	begin   sync.Once     // starts to connect when the connection is used first, or prevents that
	tried   chan struct{} // is closed after the first attempt to connect
	ended   chan struct{} // is closed when everything is closed
	ctx     context.Context
	end     context.CancelFunc

	mu     sync.Mutex // guards all below
	client rueidis.Client
	err    error // of the last attempt to connect
}

// newConnection returns a connection that connects in the background once it is used. It must be destructed.
func newConnection(option rueidis.ClientOption) *connection {
	c := &connection{
		option: option, pending: make(chan struct{}, maxPending),
		tried: make(chan struct{}), ended: make(chan struct{}),
	}
	c.ctx, c.end = context.WithCancel(context.Background())
	c.option.DialCtxFn = newDialer(c.ctx).dial
	return c
}

// Destruct ends the connection in the background, since a server that does not answer makes that slow.
func (c *connection) Destruct() error {
	c.end()
	c.begin.Do(func() { close(c.ended) })
	return nil
}

// keep connects, again and again until that succeeds, and closes the client in the end.
func (c *connection) keep() {
	defer close(c.ended)
	for first := true; c.ctx.Err() == nil; first = false {
		client, err := newClient(c.option)
		c.mu.Lock()
		c.client, c.err = client, err
		c.mu.Unlock()
		if first {
			close(c.tried)
		}
		if err == nil {
			<-c.ctx.Done()
			client.Close()
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			timer.Stop()
		}
	}
}

func newClient(option rueidis.ClientOption) (client rueidis.Client, err error) {
	err = safely.ErrPanic
	safely.Do("redis.client", func() { client, err = rueidis.NewClient(option) })
	return client, err
}

// ready returns the client. It waits for the first attempt to connect, and returns an error if there is no client after that.
func (c *connection) ready(ctx context.Context) (rueidis.Client, error) {
	c.begin.Do(func() { go safely.Do("redis.connect", c.keep) })
	select {
	case <-c.tried:
	case <-c.ctx.Done():
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errConnecting, ctx.Err())
	}
	if c.ctx.Err() != nil {
		return nil, errClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, fmt.Errorf("%w: %w", errConnecting, c.err)
	}
	return c.client, nil
}

// do calls send in a goroutine and returns its results, or an error once the context has ended. What is sent by then may be done
// nevertheless.
func (c *connection) do(ctx context.Context, send func(rueidis.Client) []rueidis.RedisResult) ([]rueidis.RedisResult, error) {
	client, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case c.pending <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%d calls are pending: %w", maxPending, ctx.Err())
	}
	done := make(chan []rueidis.RedisResult, 1)
	go safely.Do("redis.send", func() {
		defer func() { <-c.pending; close(done) }()
		done <- send(client)
	})
	select {
	case results, ok := <-done:
		if !ok {
			return nil, safely.ErrPanic
		}
		return results, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
