package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// replicas asks one server and then two on the same MariaDB, over as many
// connections, and counts what that asks the database. Where programs share few
// cores two servers are no faster: what each fetch asks must not grow.
func (l *lab) replicas(ctx context.Context) ([]row, error) {
	second, err := l.serve(ctx, l.mariadb.settings, l.mariadb.path)
	if err != nil {
		return nil, err
	}
	var single, both []load
	var singleAsks, bothAsk []float64
	for range l.rounds {
		one, asks, err := l.askAtOnce(ctx, l.mariadb)
		if err != nil {
			return nil, fmt.Errorf("one server: %w", err)
		}
		single, singleAsks = append(single, one), append(singleAsks, asks)
		two, asks, err := l.askAtOnce(ctx, l.mariadb, second)
		if err != nil {
			return nil, fmt.Errorf("two servers: %w", err)
		}
		both, bothAsk = append(both, two), append(bothAsk, asks)
	}
	one, two := middle(single), middle(both)
	rows := []row{{
		"two servers on one MariaDB, connections kept", fmt.Sprintf("%s, %.2f statements a fetch", perSecond(two.rate), median(bothAsk)),
		fmt.Sprintf("one server: %s, %.2f", perSecond(one.rate), median(singleAsks)), ratio(two.rate / one.rate), "≥ 0.90; more with more cores",
	}}
	l.tell(rows)
	return rows, second.stop()
}

// askAtOnce asks servers of one database at once, and gives the sum of their rates and
// how many statements each fetch has asked the database.
func (l *lab) askAtOnce(ctx context.Context, servers ...*server) (sum load, statements float64, err error) {
	before, err := l.statements(ctx)
	if err != nil {
		return load{}, 0, err
	}
	loads := make([]load, len(servers))
	g, together := errgroup.WithContext(ctx)
	for i, s := range servers {
		g.Go(func() (err error) {
			loads[i], err = l.wrk(together, s.url, warmPhones, 64/len(servers), false)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return load{}, 0, err
	}
	after, err := l.statements(ctx)
	for _, one := range loads {
		sum.rate += one.rate
	}
	return sum, (after - before) / (sum.rate * l.round.Seconds()), err
}

// statements is how many the MariaDB server has carried out for clients.
func (l *lab) statements(ctx context.Context) (float64, error) {
	out, err := mariadb(ctx, os.Getenv("TEST_MYSQL"), "SHOW GLOBAL STATUS WHERE Variable_name = 'Questions'")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(out)
	return strconv.ParseFloat(fields[len(fields)-1], 64)
}

// mariadb has the server carry out a statement, and gives what it prints.
func mariadb(ctx context.Context, server, statement string) (string, error) {
	credentials, address, _ := strings.Cut(server, "@")
	user, password, _ := strings.Cut(credentials, ":")
	host, port, _ := strings.Cut(address, ":")
	cmd := exec.CommandContext(ctx, "mariadb", "--no-defaults", "--host", host, "--port", port, "--user", user, "--skip-column-names", "-e", statement) //nolint:gosec // ours
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mariadb: %w: %s", err, out)
	}
	return string(out), nil
}
