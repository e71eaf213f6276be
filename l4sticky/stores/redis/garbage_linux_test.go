package redis

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// FuzzServer has a server, a Sentinel or a node of a cluster answer anything.
func FuzzServer(f *testing.F) {
	const (
		slots   = "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:1\r\n"
		unasked = ">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n+PONG\r\n"
		told    = ">3\r\n$9\r\nsubscribe\r\n$9\r\n+sentinel\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$9\r\n+sentinel\r\n$1\r\ny\r\n"
	)
	kinds := []string{"]", `, "127.0.0.1:1"]`, `], "sentinel_master": "sticky"`} // what follows the first address
	for _, answers := range [][2]string{
		{"*1\r\n$1\r\n=\r\n", "*4\r\n$1\r\n1\r\n$1\r\ng\r\n*0\r\n*0\r\n"},
		{"%0\r\n", "-MOVED 1 127.0.0.1:1\r\n"},
		{"-NOSCRIPT x\r\n", "-LOADING x\r\n"},
		{">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\ny\r\n", ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"},
		{"+QUEUED\r\n", ">2\r\n$10\r\ninvalidate\r\n_\r\n"},
		{slots, "-MOVED\r\n"},
		{slots, "-ASK 1\r\n"},
		{unasked, told},
		{unasked, "*0\r\n*0\r\n"},
		{unasked, "*0\r\n*1\r\n+a\r\n"},
		{unasked, "*0\r\n*-1\r\n"},
	} {
		for kind := range kinds {
			f.Add([]byte(answers[0]), []byte(answers[1]), true, uint8(kind))
		}
		f.Add([]byte(answers[1]), []byte(answers[0]), false, uint8(0))
	}
	f.Fuzz(func(t *testing.T, first, second []byte, hello bool, kind uint8) {
		answers := []string{string(first), string(second)}
		if hello {
			answers = append([]string{helloAnswer}, answers...)
		}
		if hello && kind == 0 {
			answers = slices.Insert(answers, 1, singleAnswer)
		}
		store := open(t, `{"addresses": ["`+serveGarbage(t, answers)+`"`+kinds[int(kind)%len(kinds)]+`}`)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_ = try(ctx, store)
		_ = store.Listen(ctx, "default", "n1", func(stores.News) {})
	})
}
