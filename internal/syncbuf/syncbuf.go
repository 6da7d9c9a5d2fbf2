// Package syncbuf lets a test read what a server or another program writes
// while it goes on writing.
package syncbuf

import (
	"bytes"
	"sync"
)

// A Buffer is an io.Writer that is safe for concurrent use. Its zero value is
// ready.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is everything written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
