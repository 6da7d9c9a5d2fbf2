package phonesim

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
)

// A printer writes whole lines to an output that the phones of a fleet share.
type printer struct {
	mu  *sync.Mutex // guards out
	out io.Writer
	mac string // starts every line of a fleet, "" for a single phone
}

func newPrinter(out io.Writer) *printer { return &printer{mu: &sync.Mutex{}, out: out} }

// as is a printer onto the same output for one phone of a fleet.
func (p *printer) as(mac string) *printer { return &printer{mu: p.mu, out: p.out, mac: mac + " "} }

// printf writes one line. What came from outside cannot make it two.
func (p *printer) printf(format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, fmt.Sprintf(format, args...))
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.out, p.mac+text+"\n") // nobody is left to tell
}
