package sip_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
	"dialtone/sip"
)

const (
	benchPhones = 2000
	benchRounds = 3
)

// A contender registers phones.
type contender struct {
	name  string
	start func(*testing.B) netip.AddrPort // with benchPhones that may register, none of which has
}

// BenchmarkRegister measures REGISTERs with digest (each two requests: the
// challenged one and the right one) per second, by the same load on Dialtone and
// on Kamailio. Every round starts each of them anew, one after the other, so that
// what else the machine does hits all of them; medians and ratios count.
func BenchmarkRegister(b *testing.B) {
	contenders := []contender{
		{"dialtone-sqlite", func(b *testing.B) netip.AddrPort { return serveBench(b, sqlstoretest.New(b)).Addrs().UDP }},
		{"dialtone-mysql", func(b *testing.B) netip.AddrPort { return serveBench(b, sqlstoretest.NewMySQL(b)).Addrs().UDP }},
		{"kamailio-memory", func(b *testing.B) netip.AddrPort { return kamailioBench(b, 0) }},
		{"kamailio-mysql", func(b *testing.B) netip.AddrPort { return kamailioBench(b, 1) }},
	}
	rates := map[string][]float64{}
	for range benchRounds {
		for _, c := range contenders {
			b.Run(c.name, func(b *testing.B) {
				server := c.start(b)
				spent := ownTime(b) + childrenTime(b)
				first, refresh := loadRegisters(b, server, 1), loadRegisters(b, server, 11)
				b.ReportMetric(float64((ownTime(b)+childrenTime(b)-spent).Microseconds())/(2*benchPhones), "cpu-us/op")
				rates[c.name+"-first"] = append(rates[c.name+"-first"], first)
				rates[c.name+"-refresh"] = append(rates[c.name+"-refresh"], refresh)
				b.ReportMetric(first, "first/s")
				b.ReportMetric(refresh, "refresh/s")
			})
		}
	}
	if len(rates) < 2*len(contenders) || b.Failed() {
		return // some only, or none
	}
	for _, kind := range []string{"first", "refresh"} {
		for _, c := range contenders {
			b.Logf("%-8s %-16s median %6.0f/s of %.0f", kind, c.name, median(rates[c.name+"-"+kind]), rates[c.name+"-"+kind])
		}
		b.Logf("%-8s MySQL, Dialtone to Kamailio: %.2f", kind, median(rates["dialtone-mysql-"+kind])/median(rates["kamailio-mysql-"+kind]))
	}
}

// ownTime is the processor time that this program has used so far: unlike the
// time that passes it counts no other program's turn.
func ownTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// childrenTime is that of the programs that this one has started and that run still.
func childrenTime(b *testing.B) time.Duration {
	b.Helper()
	var sum time.Duration
	for _, pid := range children(b, os.Getpid()) {
		sum += ticksOf(b, pid) * (time.Second / 100)
	}
	return sum
}

// children are the processes that a process has started, and theirs.
func children(b *testing.B, parent int) []int {
	b.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		b.Fatal(err)
	}
	var all []int
	for _, task := range tasks {
		list, _ := os.ReadFile(task) // a thread may have ended
		for pid := range strings.FieldsSeq(string(list)) {
			child, err := strconv.Atoi(pid)
			if err != nil {
				b.Fatal(err)
			}
			all = append(append(all, child), children(b, child)...)
		}
	}
	return all
}

// ticksOf is a process's time on the processor, in hundredths of a second.
func ticksOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ") // a name in parentheses comes before
	values := strings.Fields(fields)
	user, err := strconv.Atoi(values[11])
	system, err2 := strconv.Atoi(values[12])
	if err := errors.Join(err, err2); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user + system)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// serveBench starts a server that logs as it does in earnest, to nowhere, with
// phones that may register.
func serveBench(b *testing.B, store *sqlstore.Store) *sip.Server {
	b.Helper()
	benchDevices(b, store)
	return startBench(b, store)
}

// benchDevices stores an account with benchPhones devices.
func benchDevices(b *testing.B, store *sqlstore.Store) (*models.Account, []*models.Device) {
	b.Helper()
	account := &models.Account{}
	setDocument(b, account, models.Document{"name": "Acme", "realm": realm})
	if err := store.CreateAccount(b.Context(), account, models.NewAPIKey()); err != nil {
		b.Fatal(err)
	}
	devices := make([]*models.Device, benchPhones)
	for n := range devices {
		devices[n] = &models.Device{AccountID: account.ID}
		setDocument(b, devices[n], models.Document{"name": "Desk", "sip": map[string]any{"username": benchUser(n), "password": password}})
	}
	if err := store.ImportDevices(b.Context(), devices, func(taken map[int]*models.TakenError) bool { return len(taken) == 0 }); err != nil {
		b.Fatal(err)
	}
	return account, devices
}

func benchUser(n int) string { return fmt.Sprintf("phone%06d", n) }

func startBench(b *testing.B, store sip.Store) *sip.Server {
	b.Helper()
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = nowhere.Close() })
	server, err := sip.New(sip.Config{
		Addr: "127.0.0.1:0", Replica: "r1", NonceKey: []byte("key"), Store: store, Guard: &fakeGuard{},
		Log: slog.New(slog.NewJSONHandler(nowhere, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Listen(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	result := make(chan error, 1)
	go func() { result <- server.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-result; err != nil {
			b.Error(err)
		}
	})
	return server
}

// kamailioBench starts Kamailio with a database of its own, made by the scripts
// of its package.
func kamailioBench(b *testing.B, dbMode int) netip.AddrPort {
	b.Helper()
	url := sqlstoretest.MySQLDatabase(b)
	credentials, rest, _ := strings.Cut(strings.TrimPrefix(url, "mysql://"), "@")
	addr, name, _ := strings.Cut(rest, "/")
	db, err := sql.Open("mysql", credentials+"@tcp("+addr+")/"+name+"?multiStatements=true")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, script := range []string{"standard", "auth_db", "usrloc"} {
		statements, err := os.ReadFile(filepath.Join("/usr/share/kamailio/mysql", script+"-create.sql"))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := db.ExecContext(b.Context(), string(statements)); err != nil {
			b.Fatal(err)
		}
	}
	rows := make([]string, benchPhones)
	for n := range rows {
		rows[n] = fmt.Sprintf("('%s', '%s', '%s')", benchUser(n), realm, password)
	}
	if _, err := db.ExecContext(b.Context(), "INSERT INTO subscriber (username, domain, password) VALUES "+strings.Join(rows, ", ")); err != nil {
		b.Fatal(err)
	}
	return kamailio(b, "bench.cfg", fmt.Sprintf("DBURL=%q", url), fmt.Sprintf("DBMODE=%d", dbMode))
}

// benchRegister is a REGISTER with digest of a phone behind one address.
const benchRegister = `<?xml version="1.0"?>
<scenario name="register">
  <send retrans="2000"><![CDATA[
REGISTER sip:` + realm + ` SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@` + realm + `>;tag=[call_number]
To: <sip:[field0]@` + realm + `>
Call-ID: [call_id]
CSeq: [cseq] REGISTER
Contact: <sip:[field0]@[local_ip]:[local_port]>
Expires: 3600
User-Agent: Bench phone 1.0
Content-Length: 0

]]></send>
  <recv response="401" auth="true"/>
  <send retrans="2000"><![CDATA[
REGISTER sip:` + realm + ` SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@` + realm + `>;tag=[call_number]
To: <sip:[field0]@` + realm + `>
Call-ID: [call_id]
CSeq: [cseq] REGISTER
Contact: <sip:[field0]@[local_ip]:[local_port]>
Expires: 3600
User-Agent: Bench phone 1.0
[field1]
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
`

// loadRegisters registers every phone once, as fast as the server lets 50 at a
// time, and returns registrations per second. A higher cseq is a refresh.
func loadRegisters(b *testing.B, server netip.AddrPort, cseq int) float64 {
	b.Helper()
	dir := b.TempDir()
	users := &strings.Builder{}
	users.WriteString("SEQUENTIAL\n")
	for n := range benchPhones {
		_, _ = fmt.Fprintf(users, "%[1]s;[authentication username=%[1]s password=%[2]s]\n", benchUser(n), password) // it never fails
	}
	for name, content := range map[string]string{"register.xml": benchRegister, "users.csv": users.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	began := time.Now()
	cmd := exec.CommandContext(b.Context(), program(b, "sipp"), server.String(), "-sf", "register.xml", "-inf", "users.csv", "-i", "127.0.0.1",
		"-p", fmt.Sprint(benchPort), "-m", fmt.Sprint(benchPhones), "-r", "50000", "-l", "50", "-buff_size", "1000000", "-timer_resol", "1",
		"-cid_str", "%u@bench", "-base_cseq", fmt.Sprint(cseq), "-nostdin", "-timeout", "60", "-timeout_error", "-trace_err", "-error_file", "errors.log")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		complaints, _ := os.ReadFile(filepath.Join(dir, "errors.log"))
		b.Fatalf("sipp: %v\n%s\n%s", err, out[max(0, len(out)-2000):], complaints[:min(len(complaints), 2000)])
	}
	took := time.Since(began)
	b.ReportMetric(float64((cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Microseconds())/benchPhones, "sipp-us/op")
	return benchPhones / took.Seconds()
}

// benchPort is where the load comes from: a refresh is from the same contact.
const benchPort = 15062

// notifyRounds is how often each phone is told.
const notifyRounds = 10

// BenchmarkNotify measures NOTIFYs per second to phones that answer at once, from
// the queue to the recorded outcome: with every outcome in the database, and with
// records that go nowhere, which is what the SIP side can do.
func BenchmarkNotify(b *testing.B) {
	kinds := []struct {
		name  string
		store func(*testing.B) (*sqlstore.Store, sip.Store)
	}{
		{"sqlite", func(b *testing.B) (*sqlstore.Store, sip.Store) { s := sqlstoretest.New(b); return s, s }},
		{"mysql", func(b *testing.B) (*sqlstore.Store, sip.Store) { s := sqlstoretest.NewMySQL(b); return s, s }},
		{"unrecorded", func(b *testing.B) (*sqlstore.Store, sip.Store) {
			s := sqlstoretest.New(b)
			return s, unrecorded{s}
		}},
	}
	phonesAddr := netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", benchPort))
	_ = run(b, map[string]string{"notified.xml": sippNotified}, "sipp", "-sf", "notified.xml", "-i", "127.0.0.1", "-p", fmt.Sprint(benchPort), "-nostdin",
		"-buff_size", "4000000") // it plays all phones: what many of them are sent at once must not be lost
	for range benchRounds {
		for _, kind := range kinds {
			b.Run(kind.name, func(b *testing.B) {
				store, recorded := kind.store(b)
				phones := benchFleet(b, store)
				server := startBench(b, recorded)
				var accepted atomic.Int64
				var finished sync.WaitGroup
				rounds := b.N * notifyRounds
				spent, phonesSpent := ownTime(b), childrenTime(b)
				b.ResetTimer()
				for range rounds {
					for _, phone := range phones {
						server.AwaitRoom(b.Context())
						finished.Add(1)
						server.Notify(sip.NotifyRequest{Phone: phone, Event: "check-sync", Bindings: []models.Binding{{
							Contact: "sip:" + phone.Device.SIP.Username + "@" + phonesAddr.String(), Received: phonesAddr, Transport: "udp", Expires: time.Now().Add(time.Hour),
						}}, Done: func(state string) {
							if state == models.NotifyAccepted {
								accepted.Add(1)
							}
							finished.Done()
						}})
					}
				}
				finished.Wait()
				sent := rounds * len(phones)
				b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "notify/s")
				b.ReportMetric(float64((ownTime(b)-spent).Microseconds())/float64(sent), "cpu-us/op")
				b.ReportMetric(float64((childrenTime(b)-phonesSpent).Microseconds())/float64(sent), "sipp-us/op")
				if int(accepted.Load()) != sent {
					b.Errorf("%d of %d accepted", accepted.Load(), sent)
				}
			})
		}
	}
}

// unrecorded is a store that forgets what became of NOTIFYs.
type unrecorded struct{ sip.Store }

func (unrecorded) SaveNotification(_ context.Context, n *models.Notification) error {
	n.ID = "none"
	return nil
}

func (unrecorded) BeginNotification(context.Context, *models.Notification) {}

// benchFleet stores phones and returns them.
func benchFleet(b *testing.B, store *sqlstore.Store) []*models.Phone {
	b.Helper()
	account, devices := benchDevices(b, store)
	phones := make([]*models.Phone, len(devices))
	for n, device := range devices {
		phones[n] = &models.Phone{Account: account, Device: device}
	}
	return phones
}

// BenchmarkBindingMemory measures what a registered phone takes of the server's
// memory, where phones come from addresses of their own, all within a few seconds.
// The binding itself is a row of the database, which is left out.
func BenchmarkBindingMemory(b *testing.B) {
	const bindings, clients = 100_000, 16
	phone := &models.Phone{Account: &models.Account{}, Device: &models.Device{}}
	setDocument(b, phone.Account, models.Document{"name": "Acme", "realm": realm})
	setDocument(b, phone.Device, models.Document{"name": "Desk", "sip": map[string]any{"username": "ann", "password": password}})
	for range b.N {
		server := startBench(b, onePhone{Store: sqlstoretest.New(b), phone: phone})
		before := heap()
		var work errgroup.Group
		for c := range clients {
			work.Go(func() error {
				for n := c; n < bindings; n += clients {
					if err := registerFrom(b, server.Addrs().UDP, n); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := work.Wait(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/bindings, "B/binding")
		runtime.KeepAlive(server)
	}
}

// registerFrom registers from the nth address of 127.0.0.0/8.
func registerFrom(b *testing.B, server netip.AddrPort, n int) error {
	dialer := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, byte(1+n>>16), byte(n>>8), byte(n)), Port: 5060}}
	conn, err := dialer.DialContext(b.Context(), "udp", server.String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	w := newWire(conn, "udp")
	r := register{callID: fmt.Sprintf("call-%d", n), cseq: 1, contact: []string{"<sip:ann@" + conn.LocalAddr().String() + ">"}}
	return w.tryRegister(b, r)
}

// onePhone is a store for a phone with any number of contacts.
type onePhone struct {
	sip.Store
	phone *models.Phone
}

func (s onePhone) PhoneByAOR(context.Context, string, string) (*models.Phone, error) {
	return s.phone, nil
}

func (s onePhone) PhoneByIP(context.Context, netip.Addr) (*models.Phone, error) {
	return nil, models.ErrNotFound
}

func (s onePhone) UpdateBindings(_ context.Context, _ string, change func([]models.Binding) ([]models.Binding, error)) error {
	_, err := change(nil)
	return err
}

// heap is what is in use after two collections, which also empty pools.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
