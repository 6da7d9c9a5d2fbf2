package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dialtone/models/sqlstore/sqlstoretest"
)

// Two and three servers on one MariaDB: whichever is killed, nothing that was
// acknowledged is lost, no phone gets an older file than one that was told to
// fetch may have, and NOTIFYs go out.
func TestReplicas(t *testing.T) {
	for _, count := range []int{2, 3} {
		t.Run(strconv.Itoa(count), func(t *testing.T) {
			url := sqlstoretest.MySQLDatabase(t)
			var urls []string
			for range count {
				urls = append(urls, url)
			}
			r := newReplicas(t, urls)
			r.freshEverywhere(t, 20)
			r.notifiedByOthers(t)
			for i := range r.servers {
				r.survive(t, i, func() { r.servers[i].kill(t) })
				r.start(t, i)
			}
		})
	}
}

// Two servers on one SQLite file: neither gives out what the other has replaced.
func TestReplicasOfOneFile(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "dialtone.db")
	newReplicas(t, []string{url, url}).freshEverywhere(t, 20)
}

// Three servers, each with its own node of a Galera cluster: whichever server
// or node is killed, the same holds, and a server without its node says that it
// is not ready. With the majority of nodes gone phones have their last good files.
func TestGalera(t *testing.T) {
	if !*galera {
		return // of `make torture`
	}
	nodes := newGalera(t, 3)
	url := nodes[0].database(t)
	r := newReplicas(t, []string{url, nodes[1].at(url), nodes[2].at(url)})
	r.freshEverywhere(t, 200)
	r.waitedFor(t, nodes[2], 2)
	r.notifiedByOthers(t)
	for i, node := range nodes {
		r.survive(t, i, func() { r.servers[i].kill(t) })
		r.start(t, i)
		r.survive(t, i, func() {
			r.front.use(i, "") // as who looks at /readyz does
			node.end(syscall.SIGKILL)
			r.waitReady(t, i, false)
		})
		node.start(t)
		r.waitReady(t, i, true)
		r.freshEverywhere(t, 20)
	}
	phones := &phoneSide{}
	for i := range r.servers {
		phones.remember(t, r.fileAt(i))
	}
	nodes[0].end(syscall.SIGKILL)
	nodes[1].end(syscall.SIGKILL)
	for i := range r.servers {
		r.waitReady(t, i, false)
	}
	phones.check(t, "without a majority of nodes")
	r.explain(t)
}

// waitedFor has a node apply nothing for a while: a fetch at its server waits
// for what was committed elsewhere meanwhile.
func (r *replicas) waitedFor(t *testing.T, node *mariadb, at int) {
	t.Helper()
	pool, err := sql.Open("mysql", node.root())
	must(t, err)
	defer func() { _ = pool.Close() }()
	conn, err := pool.Conn(t.Context())
	must(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.ExecContext(t.Context(), "FLUSH TABLES WITH READ LOCK")
	must(t, err)
	if got, err := r.rename(t.Context(), (at+1)%len(r.servers)); err != nil || got.status != http.StatusOK {
		t.Fatalf("change: got %d %s, %v", got.status, got.Message, err)
	}
	unlocked := make(chan error, 1)
	time.AfterFunc(time.Second, func() {
		_, err := conn.ExecContext(context.Background(), "UNLOCK TABLES")
		unlocked <- err
	})
	if file, err := takeFile(t.Context(), r.fileAt(at)); err != nil || numberIn(file) != r.changes {
		t.Errorf("at a node that lags behind: got change %d, %v, want %d", numberIn(file), err, r.changes)
	}
	must(t, <-unlocked)
}

// newGalera starts a cluster on loopback.
func newGalera(t *testing.T, count int) []*mariadb {
	t.Helper()
	provider := "/usr/lib/galera/libgalera_smm.so"
	if !exists(provider) {
		t.Fatal("galera is missing: apt-get install galera-4 rsync")
	}
	var group []string
	for range count {
		group = append(group, freeAddr(t))
	}
	nodes := make([]*mariadb, count)
	for i := range nodes {
		nodes[i] = prepareMariaDB(t, "--wsrep-on=ON", "--wsrep-provider="+provider, "--wsrep-cluster-name=dialtone",
			"--wsrep-cluster-address=gcomm://"+strings.Join(group, ","), "--wsrep-node-name=node"+strconv.Itoa(i),
			"--wsrep-node-address="+group[i], "--wsrep-sst-method=rsync", "--wsrep-sst-receive-address="+freeAddr(t),
			fmt.Sprintf("--wsrep-provider-options=gmcast.listen_addr=tcp://%s;ist.recv_addr=%s", group[i], freeAddr(t)),
			"--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", "--innodb-flush-log-at-trx-commit=1")
		if i == 0 {
			nodes[i].start(t, "--wsrep-new-cluster")
			nodes[i].createUser(t)
		} else {
			nodes[i].start(t)
		}
	}
	return nodes
}

// Replicas are servers that are one to their phones and administrators.
type replicas struct {
	dir      string
	settings [][]string
	servers  []*process
	admins   []*admin // one at each
	front    *balancer
	device   string // the device whose file is watched
	changes  int    // of it that were asked for

	acknowledged atomic.Int64 // the last of them that was
}

const watchedMAC = "001565aabbcc"

// newReplicas starts a server for each database URL.
func newReplicas(t *testing.T, urls []string) *replicas {
	t.Helper()
	r := &replicas{dir: t.TempDir(), front: newBalancer(t), servers: make([]*process, len(urls))}
	for i, url := range urls {
		sip := freeAddr(t)
		r.settings = append(r.settings, []string{
			"--db.url", url, "--secrets.keyset", filepath.Join(r.dir, "keyset"), "--phones.url", "http://" + r.front.Addr().String(),
			"--api.addr", freeAddr(t), "--phones.addr", freeAddr(t), "--sip.addr", sip, "--sip.registrar", sip, "--limits.api_rate", "0",
		})
		if i > 0 { // what is written into files is the same everywhere
			r.settings[i][13] = r.settings[0][11]
		}
		r.start(t, i)
		if i == 0 {
			r.admins = append(r.admins, newAdmin(t, r.servers[0], r.dir, r.settings[0][:4]...))
			continue
		}
		other := *r.admins[0]
		other.api = r.servers[i].api
		r.admins = append(r.admins, &other)
	}
	r.device = r.admins[0].must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	return r
}

// start starts a server, again if need be.
func (r *replicas) start(t *testing.T, i int) {
	t.Helper()
	r.servers[i] = start(t, r.dir, r.settings[i]...)
	r.front.use(i, strings.TrimPrefix(r.servers[i].phones, "http://"))
	r.waitReady(t, i, true)
}

func (r *replicas) waitReady(t *testing.T, i int, want bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		resp, _ := fetch(t, r.servers[i].api+"/readyz")
		if (resp.StatusCode == http.StatusOK) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("server %d, ready: still %v", i, !want)
		}
	}
}

// fileAt is the URL of the watched device's file at one server.
func (r *replicas) fileAt(i int) string {
	return r.servers[i].phones + r.admins[0].url[strings.Index(r.admins[0].url, "/p/"):] + watchedMAC + ".cfg"
}

// folder is the provisioning URL that phones have: of no server in particular.
func (r *replicas) folder() string {
	return "http://" + r.front.Addr().String() + r.admins[0].url[strings.Index(r.admins[0].url, "/p/"):]
}

// explain shows why phones were not given the right file, when the test fails.
func (r *replicas) explain(t *testing.T) {
	t.Helper()
	if !t.Failed() {
		return
	}
	for i, server := range r.servers {
		for line := range strings.Lines(server.log.String()) {
			if strings.Contains(line, "last good") || strings.Contains(line, "file failed") {
				t.Logf("server %d: %s", i, line)
			}
		}
	}
}

// rename changes the watched device through one server.
func (r *replicas) rename(ctx context.Context, at int) (reply, error) {
	r.changes++
	got, err := r.admins[at].ask(ctx, "PATCH", "devices/"+r.device, strings.NewReader(fmt.Sprintf(`{"data":{"name":"Change %d","sync":true}}`, r.changes)))
	if err == nil && got.status == http.StatusOK {
		r.acknowledged.Store(int64(r.changes))
	}
	return got, err
}

var changeNumber = regexp.MustCompile(`(?m)^account\.1\.label = Change (\d+)$`)

// numberIn is the change that a file shows, 0 = none.
func numberIn(file string) int {
	match := changeNumber.FindStringSubmatch(file)
	if match == nil {
		return 0
	}
	n, _ := strconv.Atoi(match[1])
	return n
}

// freshEverywhere changes the device at one server and fetches at each other
// at once: no server has anything older.
func (r *replicas) freshEverywhere(t *testing.T, times int) {
	t.Helper()
	for n := range times {
		at := n % len(r.servers)
		if got, err := r.rename(t.Context(), at); err != nil || got.status != http.StatusOK {
			t.Fatalf("change: got %d %s, %v", got.status, got.Message, err)
		}
		for i := range r.servers {
			if file, err := takeFile(t.Context(), r.fileAt(i)); err != nil || numberIn(file) != r.changes {
				t.Fatalf("after change %d at server %d, server %d gives change %d, %v", r.changes, at, i, numberIn(file), err)
			}
		}
	}
}

// notifiedByOthers has a phone register over UDP with the first server, kills
// that one, and has another tell the phone to fetch.
func (r *replicas) notifiedByOthers(t *testing.T) {
	t.Helper()
	phone := &process{Cmd: dialtone(t, r.dir, "phone", "--brand", "yealink", "--model", "t46u", "--mac", watchedMAC, "--url", r.folder(),
		"--sip-listen", "127.0.0.1:0"), log: &logBuffer{}, done: make(chan struct{})}
	phone.Stdout = phone.log
	phone.run(t)
	wait(t, "the phone to register", func() bool { return phone.log.has([]string{"REGISTER", " 200"}) })
	r.servers[0].kill(t)
	got, err := r.rename(t.Context(), 1)
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("change: got %d %s, %v", got.status, got.Message, err)
	}
	wait(t, "the phone to show the change", func() bool { return phone.log.has([]string{fmt.Sprintf("+ account.1.label = Change %d", r.changes)}) })
	phone.kill(t)
	r.start(t, 0)
}

// survive has clients write and phones fetch at all servers while something
// befalls one of them. Afterwards every acknowledged write is there, at any
// other server, and no phone has had an older file than it may have.
func (r *replicas) survive(t *testing.T, hit int, befall func()) {
	t.Helper()
	load, stop := context.WithCancel(t.Context())
	defer stop()
	book := &ledger{devices: map[string]*entry{}, next: rand.IntN(0x7fff) << 8}
	var clients sync.WaitGroup
	for client := range 2 * len(r.servers) {
		clients.Go(func() { book.work(load, t, r.admins[client%len(r.servers)], client) })
	}
	whole := (hit + 1) % len(r.servers) // a server that stays
	var fetched, late atomic.Int64
	clients.Go(func() {
		for load.Err() == nil {
			_, _ = r.rename(load, whole)
		}
	})
	for range 3 {
		clients.Go(func() {
			for load.Err() == nil {
				least := r.acknowledged.Load()
				file, err := takeFile(load, r.folder()+watchedMAC+".cfg")
				switch {
				case errors.Is(err, errComeBack), errors.Is(err, errNoAnswer):
					late.Add(1) // the phone asks again
				case err != nil:
					t.Errorf("a phone was given: %v", err)
				case int64(numberIn(file)) < least:
					t.Errorf("a phone was given change %d after %d was acknowledged", numberIn(file), least)
				default:
					fetched.Add(1)
				}
			}
		})
	}
	time.Sleep(time.Duration(200+rand.IntN(300)) * time.Millisecond)
	befall()
	time.Sleep(500 * time.Millisecond)
	stop()
	clients.Wait()
	a := *r.admins[whole]
	a.url = strings.TrimSuffix(r.fileAt(whole), watchedMAC+".cfg")
	book.foreign = map[string]bool{watchedMAC: true}
	book.compare(t, &a)
	for _, e := range book.devices {
		a.must(t, http.StatusOK, "DELETE", "devices/"+e.id, "")
	}
	t.Logf("server %d hit: %d creates, %d updates, %d deletes, %d imports acknowledged, %d writes cut off; %d files, %d asked again",
		hit, book.creates.Load(), book.updates.Load(), book.deletes.Load(), book.imports.Load(), book.cut, fetched.Load(), late.Load())
	if fetched.Load() == 0 {
		t.Error("no phone was given anything")
	}
	r.explain(t)
	r.front.use(hit, strings.TrimPrefix(r.servers[hit].phones, "http://"))
}

// A balancer hands connections to any of its servers that takes them.
type balancer struct {
	net.Listener
	mu    sync.Mutex
	addrs map[int]string
	conns map[net.Conn]string // of phones, by the address of their server
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	b := &balancer{Listener: listener, addrs: map[int]string{}, conns: map[net.Conn]string{}}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if errors.Is(err, os.ErrClosed) || errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go b.connect(near)
			}
		}
	}()
	return b
}

// use sets the address of a server, "" = none: then its connections end.
func (b *balancer) use(i int, addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if addr == "" {
		for conn, at := range b.conns {
			if at == b.addrs[i] {
				_ = conn.Close()
			}
		}
		delete(b.addrs, i)
		return
	}
	b.addrs[i] = addr
}

func (b *balancer) connect(near net.Conn) {
	defer func() { _ = near.Close() }()
	b.mu.Lock()
	var tries []string
	for _, addr := range b.addrs { // in any order
		tries = append(tries, addr)
	}
	b.mu.Unlock()
	for _, addr := range tries {
		far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", addr)
		if err != nil {
			continue
		}
		b.mu.Lock()
		b.conns[near] = addr
		b.mu.Unlock()
		go func() {
			_, _ = io.Copy(far, near)
			_ = far.Close()
		}()
		_, _ = io.Copy(near, far)
		_ = far.Close()
		b.mu.Lock()
		delete(b.conns, near)
		b.mu.Unlock()
		return
	}
}
