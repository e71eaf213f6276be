package redis

import (
	"context"
	"errors"

	"github.com/redis/rueidis"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

var errUnsubscribed = errors.New("the subscription has ended")

// Listen subscribes to the channel of the pool on a connection of its own. It returns when that ends: the client does not subscribe
// again by itself.
func (s *Store) Listen(ctx context.Context, pool, node string, hear func(stores.News)) error {
	if s.connection == nil {
		return errClosed
	}
	n := namesOf(s.KeyPrefix, pool)
	return s.redacted(s.connection.subscribe(ctx, n.channel, func() { hear(stores.News{}) }, func(message string) {
		if from, news, ok := parseNews(message); ok && from != node {
			hear(news)
		}
	}))
}

// subscribe calls confirmed once the channel is subscribed, and then receive with each of its messages, until the subscription or
// the context ends.
func (c *connection) subscribe(ctx context.Context, channel string, confirmed func(), receive func(string)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.ctx, safely.Func("redis.close", func() { cancel(errClosed) }))()
	s := subscription{subscribed: make(chan struct{}), messages: make(chan string), ended: make(chan error, 1)}
	client, err := c.ready(ctx)
	if err != nil {
		return err
	}
	go safely.Do("redis.receive", func() { s.run(ctx, client, channel) })
	subscribed, messages := s.subscribed, (chan string)(nil)
	for {
		select {
		case <-subscribed:
			subscribed, messages = nil, s.messages
			confirmed()
		case message := <-messages:
			receive(message)
		case err, ok := <-s.ended:
			switch {
			case c.ctx.Err() != nil:
				return errClosed
			case !ok:
				return safely.ErrPanic
			}
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// A subscription has what another goroutine tells about it.
type subscription struct {
	subscribed chan struct{} // is closed when it is confirmed
	messages   chan string
	ended      chan error // has an error and is closed when it has ended
}

// run subscribes and passes the messages on, until the subscription or the context ends. Then it closes the connection, which
// would have to be unsubscribed before it could be used again.
func (s *subscription) run(ctx context.Context, client rueidis.Client, channel string) {
	defer close(s.ended)
	node := anyNode(client)
	if node == nil {
		s.ended <- errUnsubscribed
		return
	}
	dedicated, _ := node.Dedicate()
	defer dedicated.Close()
	confirmed := false
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) {
		if !confirmed {
			confirmed = true
			close(s.subscribed)
		}
	})
	err := dedicated.Receive(hooked, client.B().Subscribe().Channel(channel).Build(), func(m rueidis.PubSubMessage) {
		select {
		case s.messages <- m.Message:
		case <-ctx.Done():
		}
	})
	if err == nil {
		err = errUnsubscribed
	}
	s.ended <- err
}

// anyNode returns a client of one server: each one of a cluster has all that is published.
func anyNode(client rueidis.Client) rueidis.Client {
	for _, node := range client.Nodes() {
		return node
	}
	return nil
}
