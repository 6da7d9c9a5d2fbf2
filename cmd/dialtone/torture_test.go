package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// `make torture` asks for more of what ends a server the hard way.
var (
	kills  = flag.Int("kills", 12, "how often the crash loop kills the server, on each database")
	galera = flag.Bool("galera", false, "also test a Galera cluster of three nodes")
)

// Whatever was acknowledged is there after kill -9 at any moment, nothing that
// was deleted comes back, and every document is one that somebody wrote, whole.
func TestCrashLoop(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		crashLoop(t, sqliteURL(t.TempDir()), func(int) {})
	})
	t.Run("mariadb", func(t *testing.T) {
		db := newMariaDB(t)
		crashLoop(t, db.database(t), func(round int) {
			if round%8 == 7 { // the database dies, too
				db.end(syscall.SIGKILL)
				db.start(t)
			}
		})
	})
}

func crashLoop(t *testing.T, url string, after func(round int)) {
	t.Helper()
	dir := t.TempDir()
	settings := []string{"--db.url", url, "--secrets.keyset", filepath.Join(dir, "keyset"), "--limits.api_rate", "0"}
	p := start(t, dir, settings...)
	a := newAdmin(t, p, dir, append(settings[:4:4], "--phones.url", p.phones)...)
	token := a.url[strings.Index(a.url, "/p/"):]
	book := &ledger{devices: map[string]*entry{}}
	for round := range *kills {
		load, stop := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for c := range 6 {
			clients.Go(func() { book.work(load, t, a, c) })
		}
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
		p.kill(t)
		stop()
		clients.Wait()
		after(round)
		p = start(t, dir, settings...)
		a.api, a.url = p.api, p.phones+token
		book.compare(t, a)
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
	}
	if book.creates.Load() == 0 || book.updates.Load() == 0 || book.deletes.Load() == 0 {
		t.Error("too little was acknowledged to show anything")
	}
	t.Logf("%d kills; acknowledged: %d creates, %d updates, %d deletes, %d imports of 5; %d writes cut off, of which %d had been done; %d devices at the end",
		*kills, book.creates.Load(), book.updates.Load(), book.deletes.Load(), book.imports.Load(), book.cut, book.done, len(book.devices))
}

// A ledger knows what clients wrote, and what they were told of it.
type ledger struct {
	mu      sync.Mutex
	devices map[string]*entry // by MAC
	next    int
	foreign map[string]bool // MACs that are somebody else's

	creates, updates, deletes, imports atomic.Int64
	cut, done                          int // writes without an answer, and those of them that were found done
}

// An entry is one device. Generation 0 is a device that is not there.
type entry struct {
	mac     string
	id      string
	acked   int // generation that was acknowledged last
	pending int // generation that was asked for, while there is no answer; -1 = none
	busy    bool
	batch   string // the import that brings it, while there is no answer
}

// document is a device in a generation: every member tells which.
func (e *entry) document(generation int) string {
	return fmt.Sprintf(`{"data":{"name":"G %d","mac_address":%q,"sip":{"username":"u%s","password":"secret-%d"},"custom":{"generation":"%[1]d","filler":%q},
		"provision":{"endpoint_brand":"yealink","endpoint_family":"t4x","endpoint_model":"t46u","combo_keys":{"1":{"type":"speed_dial","value":{"label":"L %[1]d","value":"%[1]d"}}}}}}`,
		generation, e.mac, e.mac, generation, strings.Repeat("x", generation%5000))
}

// work writes until the context ends or the server is gone. What was begun by
// then is waited for: a server goes on with a write whose client has left.
func (l *ledger) work(ctx context.Context, t *testing.T, a *admin, client int) {
	t.Helper()
	for ctx.Err() == nil && l.step(context.WithoutCancel(ctx), t, a, client) {
	}
}

// step is one write. False when there was no answer.
func (l *ledger) step(ctx context.Context, t *testing.T, a *admin, client int) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	switch choice := rand.IntN(10); {
	case choice == 0 && client == 0 && l.count() < maxLedger:
		return l.importFive(ctx, t, a)
	case choice < 3 && l.count() < maxLedger:
		return l.create(ctx, t, a)
	case choice < 8:
		return l.change(ctx, t, a)
	default:
		return l.remove(ctx, t, a)
	}
}

// maxLedger bounds the devices: all of them are looked at after each kill.
const maxLedger = 100

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.devices)
}

// newEntry is a device that nobody has written yet.
func (l *ledger) newEntry() *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	e := &entry{mac: fmt.Sprintf("001565%06x", l.next), pending: -1, busy: true}
	l.devices[e.mac] = e
	return e
}

// take is any device that is there and that no other client writes to; nil when
// there is none.
func (l *ledger) take() *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.devices {
		if !e.busy && e.acked > 0 {
			e.busy = true
			return e
		}
	}
	return nil
}

// write asks for a generation of a device, and notes what the answer says.
// False when there is none.
func (l *ledger) write(e *entry, generation int, ask func() (reply, error), want int, t *testing.T) bool {
	t.Helper()
	l.mu.Lock()
	e.pending = generation
	l.mu.Unlock()
	r, err := ask()
	if err != nil || r.status == http.StatusServiceUnavailable { // done or not: it is not acknowledged
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.status != want {
		t.Errorf("%s, generation %d: got %d %s %s, want %d", e.mac, generation, r.status, r.Message, r.Data, want)
		return false
	}
	var doc struct{ ID string }
	_ = json.Unmarshal(r.Data, &doc)
	e.id, e.acked, e.pending, e.busy = doc.ID, generation, -1, false
	return true
}

func (l *ledger) create(ctx context.Context, t *testing.T, a *admin) bool {
	t.Helper()
	e := l.newEntry()
	ok := l.write(e, 1, func() (reply, error) { return a.ask(ctx, "PUT", "devices", strings.NewReader(e.document(1))) }, http.StatusCreated, t)
	if ok {
		l.creates.Add(1)
	}
	return ok
}

func (l *ledger) change(ctx context.Context, t *testing.T, a *admin) bool {
	t.Helper()
	e := l.take()
	if e == nil {
		return true
	}
	next := e.acked + 1
	ok := l.write(e, next, func() (reply, error) { return a.ask(ctx, "POST", "devices/"+e.id, strings.NewReader(e.document(next))) }, http.StatusOK, t)
	if ok {
		l.updates.Add(1)
	}
	return ok
}

func (l *ledger) remove(ctx context.Context, t *testing.T, a *admin) bool {
	t.Helper()
	e := l.take()
	if e == nil {
		return true
	}
	ok := l.write(e, 0, func() (reply, error) { return a.ask(ctx, "DELETE", "devices/"+e.id, nil) }, http.StatusOK, t)
	if ok {
		l.deletes.Add(1)
	}
	return ok
}

// importFive stores five devices at once: all of them, or none.
func (l *ledger) importFive(ctx context.Context, t *testing.T, a *admin) bool {
	t.Helper()
	csv := "name,mac,username,password,brand,family,model,custom.generation,custom.filler,provision.combo_keys.1.type,provision.combo_keys.1.value.label,provision.combo_keys.1.value.value\n"
	var five []*entry
	for range 5 {
		e := l.newEntry()
		five = append(five, e)
		csv += fmt.Sprintf("G 1,%s,u%[1]s,secret-1,yealink,t4x,t46u,1,x,speed_dial,L 1,1\n", e.mac)
	}
	l.mu.Lock()
	for _, e := range five {
		e.pending, e.batch = 1, five[0].mac
	}
	l.mu.Unlock()
	r, err := a.send(ctx, "POST", "devices/import", "text/csv", strings.NewReader(csv))
	if err != nil || r.status == http.StatusServiceUnavailable {
		return false
	}
	if r.status != http.StatusCreated {
		t.Errorf("import: got %d %s %s", r.status, r.Message, r.Data)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range five {
		e.acked, e.pending, e.batch = 1, -1, "" // its id is found later
	}
	l.imports.Add(1)
	return true
}

// compare looks at every device that there is, and settles what had no answer.
func (l *ledger) compare(t *testing.T, a *admin) {
	t.Helper()
	var list []struct {
		ID         string
		MACAddress string `json:"mac_address"`
	}
	a.list(t, &list)
	found := map[string]string{}
	for _, d := range list {
		found[strings.ReplaceAll(strings.ToLower(d.MACAddress), ":", "")] = d.ID
	}
	for mac := range found {
		if l.devices[mac] == nil && !l.foreign[mac] {
			t.Errorf("%s is there, and nobody created it", mac)
		}
	}
	stored := map[string]int{} // of the imports that had no answer
	for _, mac := range slices.Sorted(maps.Keys(l.devices)) {
		e := l.devices[mac]
		generation := 0
		if e.id = found[mac]; e.id != "" {
			generation = e.read(t, a)
		}
		switch {
		case generation != e.acked && generation != e.pending:
			t.Errorf("%s: found generation %d, want %d (acknowledged) or %d (without answer)", mac, generation, e.acked, e.pending)
		case e.pending >= 0:
			l.cut++
			if generation == e.pending {
				l.done++
			}
		}
		if e.batch != "" {
			stored[e.batch] += generation
		}
		e.acked, e.pending, e.busy, e.batch = generation, -1, false, ""
		if generation == 0 {
			delete(l.devices, mac)
		}
	}
	for batch, n := range stored {
		if n != 0 && n != 5 {
			t.Errorf("of the import of five from %s, %d were stored", batch, n)
		}
	}
}

// read is the generation that a device is in, of its document and of its file.
func (e *entry) read(t *testing.T, a *admin) int {
	t.Helper()
	var doc struct {
		Name      string
		SIP       struct{ Username, Password string }
		Custom    struct{ Generation json.Number }
		Provision struct {
			Keys map[string]struct {
				Value struct{ Label, Value string }
			} `json:"combo_keys"`
		}
	}
	r := a.must(t, http.StatusOK, "GET", "devices/"+e.id, "")
	var n int
	if err := json.Unmarshal(r.Data, &doc); err != nil {
		t.Errorf("%s: %v in %s", e.mac, err, r.Data)
		return -2
	}
	_, _ = fmt.Sscanf(doc.Name, "G %d", &n)
	text := fmt.Sprint(n)
	if key := doc.Provision.Keys["1"].Value; doc.SIP.Username != "u"+e.mac || doc.SIP.Password != "secret-"+text || doc.Custom.Generation.String() != text ||
		key.Label != "L "+text || key.Value != text {
		t.Errorf("%s is not whole: %s", e.mac, r.Data)
	}
	file, err := takeFile(t.Context(), a.url+e.mac+".cfg")
	if err != nil || !strings.Contains(file, "secret-"+text+"\n") || !strings.Contains(file, "L "+text+"\n") {
		t.Errorf("%s, its file: %v, %d bytes, want generation %d", e.mac, err, len(file), n)
	}
	return n
}
