package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dialtone/models"
)

// A mariadb is a database server of the test's own, which can be stopped,
// halted and killed.
type mariadb struct {
	dir, addr string
	args      []string
	cmd       *exec.Cmd
	ended     chan struct{}
}

// newMariaDB starts a server with an empty data folder.
func newMariaDB(t *testing.T) *mariadb {
	t.Helper()
	m := prepareMariaDB(t)
	m.start(t)
	m.createUser(t)
	return m
}

// prepareMariaDB makes the data folder of a server.
func prepareMariaDB(t *testing.T, args ...string) *mariadb {
	t.Helper()
	dir, err := os.MkdirTemp("", "mariadb") //nolint:usetesting // the server's user may not look into t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &mariadb{dir: dir, addr: freeAddr(t), args: args}
	external(t, "mariadb-install-db", m.common("--skip-test-db", "--auth-root-authentication-method=normal")...)
	return m
}

// common are the arguments of the server and of its installation. Run by root
// it works as a user of its own.
func (m *mariadb) common(more ...string) []string {
	args := []string{"--no-defaults", "--datadir=" + filepath.Join(m.dir, "data")}
	if os.Getuid() == 0 {
		_ = exec.CommandContext(context.Background(), "chown", "-R", "mysql", m.dir).Run()
		args = append(args, "--user=mysql")
	}
	return append(args, more...)
}

// start runs the server until the test ends, and waits until it answers.
func (m *mariadb) start(t *testing.T, args ...string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(m.addr)
	args = append(append(m.common("--socket="+m.socket(), "--pid-file="+m.dir+"/pid", "--log-error="+m.dir+"/log",
		"--bind-address=127.0.0.1", "--port="+port, "--skip-name-resolve"), m.args...), args...)
	m.cmd = exec.CommandContext(context.Background(), "mariadbd", args...)
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, cmd := make(chan struct{}), m.cmd
	m.ended = ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() { m.end(syscall.SIGKILL) })
	for deadline := time.Now().Add(2 * time.Minute); m.ask("SELECT COUNT(*) FROM mysql.user") != nil; time.Sleep(50 * time.Millisecond) {
		select {
		case <-ended:
			deadline = time.Time{}
		default:
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(m.dir + "/log")
			t.Fatalf("mariadbd does not answer:\n%s", log[max(0, len(log)-4000):])
		}
	}
}

func (m *mariadb) socket() string { return m.dir + "/socket" }

// signal sends SIGSTOP or SIGCONT, for instance.
func (m *mariadb) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// end sends a signal and waits for the end of the server, if it still runs.
func (m *mariadb) end(s syscall.Signal) {
	_ = m.cmd.Process.Signal(s)
	<-m.ended
}

// root is how the driver connects as the server's administrator.
func (m *mariadb) root() string { return "root@unix(" + m.socket() + ")/?timeout=5s&readTimeout=30s" }

// ask runs statements as the server's administrator.
func (m *mariadb) ask(statements ...string) error {
	pool, err := sql.Open("mysql", m.root())
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	for _, s := range statements {
		if _, err := pool.ExecContext(context.Background(), s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// createUser makes the user of database: one without privileges over the server.
func (m *mariadb) createUser(t *testing.T) {
	t.Helper()
	if err := m.ask("CREATE USER dialtone@'127.0.0.1' IDENTIFIED BY 'dialtone'", "GRANT ALL ON `dialtone\\_%`.* TO dialtone@'127.0.0.1'"); err != nil {
		t.Fatal(err)
	}
}

// database makes an empty database and gives its URL.
func (m *mariadb) database(t *testing.T) string {
	t.Helper()
	name := "dialtone_" + models.NewID()
	if err := m.ask("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return "mysql://dialtone:dialtone@" + m.addr + "/" + name
}

// at is the database of a URL on another node of the cluster.
func (m *mariadb) at(url string) string {
	return "mysql://dialtone:dialtone@" + m.addr + url[strings.LastIndex(url, "/"):]
}

var givenPorts struct {
	sync.Mutex
	all map[string]bool
}

// freeAddr is an address of this machine that nobody listens at, each time
// another.
func freeAddr(t *testing.T) string {
	t.Helper()
	givenPorts.Lock()
	defer givenPorts.Unlock()
	if givenPorts.all == nil {
		givenPorts.all = map[string]bool{}
	}
	for {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := listener.Addr().String()
		_ = listener.Close()
		if !givenPorts.all[addr] {
			givenPorts.all[addr] = true
			return addr
		}
	}
}
