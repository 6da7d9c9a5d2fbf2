package syncjob_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
	"dialtone/syncjob"
)

// eachDatabase runs a test with a fleet on SQLite and on MySQL.
func eachDatabase(t *testing.T, phones int, test func(*fleet)) {
	t.Parallel() // they wait, mostly
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(newFleet(t, sqlstoretest.New(t), phones)) })
	t.Run("mysql", func(t *testing.T) { t.Parallel(); test(newFleet(t, sqlstoretest.NewMySQL(t), phones)) })
}

// A fleet is an account with phones that obey, in the place of SIP.
type fleet struct {
	*testing.T
	store   *sqlstore.Store
	account *models.Account
	devices []string

	mu     sync.Mutex
	told   map[string]int
	orders map[string]map[string]bool // ids of orders by device
	obey   func(device string) string // outcome of a NOTIFY; "" = none ever
	inSync map[string]bool
	ahead  time.Duration // of what phones do
}

func newFleet(t *testing.T, store *sqlstore.Store, phones int) *fleet {
	t.Helper()
	f := &fleet{T: t, store: store, account: &models.Account{}, told: map[string]int{}, orders: map[string]map[string]bool{}, inSync: map[string]bool{}}
	f.obey = f.comeBack
	if err := f.account.SetDocument(models.Document{"name": "Acme", "realm": "acme.example.com"}); err != nil {
		t.Fatal(err)
	}
	if err := store.CreateAccount(t.Context(), f.account, models.NewAPIKey()); err != nil {
		t.Fatal(err)
	}
	for i := range phones {
		f.device(models.Document{"name": "Phone", "sip": map[string]any{"username": fmt.Sprint("user", i)}})
	}
	return f
}

func (f *fleet) device(doc models.Document) string {
	f.Helper()
	d := &models.Device{AccountID: f.account.ID}
	if err := d.SetDocument(doc); err != nil {
		f.Fatal(err)
	}
	if err := f.store.CreateDevice(f.Context(), d); err != nil {
		f.Fatal(err)
	}
	f.devices = append(f.devices, d.ID)
	return d.ID
}

// comeBack has a phone fetch and register at once.
func (f *fleet) comeBack(device string) string {
	f.fetch(device)
	f.register(device, "udp")
	return models.NotifyAccepted
}

func (f *fleet) fetch(device string) {
	fetch := models.Fetch{AccountID: f.account.ID, DeviceID: device, File: "f", Method: "GET", Status: 200, At: time.Now().Add(f.ahead)}
	if err := f.store.RecordFetches(context.Background(), []models.Fetch{fetch}); err != nil {
		f.Error(err)
	}
}

func (f *fleet) register(device, transport string) {
	err := f.store.UpdateBindings(context.Background(), device, func([]models.Binding) ([]models.Binding, error) {
		return []models.Binding{{
			AccountID: f.account.ID, DeviceID: device, Contact: "sip:a@10.0.0.1", Received: netip.MustParseAddrPort("10.0.0.1:5060"),
			Transport: transport, Expires: time.Now().Add(time.Hour), Modified: time.Now(),
		}}, nil
	})
	if err != nil {
		f.Error(err)
	}
}

// serve runs a server's runner until the function that it returns is called.
func (f *fleet) serve(replica string, change ...func(*syncjob.Config)) (stop func()) {
	f.Helper()
	cfg := syncjob.Config{
		Store: f.store, Replica: replica, AwaitRoom: func(context.Context) {}, Tell: f.tell,
		InSync: func(_ context.Context, p *models.Phone) (bool, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.inSync[p.Device.ID], nil
		},
		Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- syncjob.New(cfg).Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.Errorf("Run: %v", err)
		}
	})
	f.Cleanup(stop)
	return stop
}

func (f *fleet) tell(o syncjob.Order) {
	f.mu.Lock()
	device := o.Phone.Device.ID
	f.told[device]++
	if f.orders[device] == nil {
		f.orders[device] = map[string]bool{}
	}
	f.orders[device][o.ID] = true
	obey := f.obey
	f.mu.Unlock()
	go func() {
		if outcome := obey(device); outcome != "" {
			o.Done(outcome)
		}
	}()
}

// tellings are how often phones were told altogether, and how many of them.
func (f *fleet) tellings() (times, phones int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.told {
		times += n
	}
	return times, len(f.told)
}

func (f *fleet) job(j models.SyncJob) *models.SyncJob {
	f.Helper()
	j.AccountID = f.account.ID
	if j.Rate == 0 {
		j.Rate = 1000
	}
	if j.Patience == 0 {
		j.Patience = time.Minute
	}
	if j.ComeBack == "" {
		j.ComeBack = models.BackRegistered
	}
	if err := f.store.CreateSyncJob(f.Context(), &j); err != nil {
		f.Fatal(err)
	}
	return &j
}

func (f *fleet) change(j *models.SyncJob, state string) {
	f.Helper()
	_, err := f.store.ChangeSyncJob(f.Context(), f.account.ID, j.ID, func(j *models.SyncJob, counts models.SyncCounts) error {
		j.Become(state, counts, time.Now())
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
}

// until waits for a job to be in a state, and says how its items stand.
func (f *fleet) until(j *models.SyncJob, state string) (*models.SyncJob, models.SyncCounts) {
	f.Helper()
	var now *models.SyncJob
	f.eventually("the job is "+state, func() bool {
		var err error
		if now, err = f.store.SyncJob(f.Context(), f.account.ID, j.ID); err != nil {
			f.Fatal(err)
		}
		return now.State == state
	})
	return now, f.counts(j)
}

func (f *fleet) counts(j *models.SyncJob) models.SyncCounts {
	f.Helper()
	counts, err := f.store.SyncCounts(f.Context(), j.ID)
	if err != nil {
		f.Fatal(err)
	}
	return counts
}

func (f *fleet) eventually(what string, done func() bool) {
	f.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("not within 30 s: %s", what)
		}
	}
}

// each checks that every phone that was told heard one NOTIFY alone.
func (f *fleet) each() {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for device, n := range f.told {
		if n != 1 {
			f.Errorf("device %s was told %d times", device, n)
		}
	}
}

func TestJobTellsEveryPhoneOnce(t *testing.T) {
	eachDatabase(t, 520, func(f *fleet) { // more than one step lists
		f.device(models.Document{"name": "Off", "enabled": false, "sip": map[string]any{"username": "off"}})
		f.inSync[f.devices[1]] = true
		refusing, unreachable, late := f.devices[2], f.devices[3], f.devices[4]
		f.obey = func(device string) string {
			switch device {
			case refusing:
				return models.NotifyRefused
			case unreachable:
				return models.NotifyUnreachable
			case late:
				f.comeBack(device) // and no answer was heard
				return models.NotifyTimeout
			}
			return f.comeBack(device)
		}
		j := f.job(models.SyncJob{Filter: models.SyncFilter{Behind: true}})
		f.serve("r1")
		_, counts := f.until(j, models.SyncFinished)
		want := models.SyncCounts{models.ItemReturned: 517, models.ItemRefused: 1, models.ItemUnreachable: 1, models.ItemSkipped: 2}
		if diff := cmp.Diff(want, counts); diff != "" {
			f.Errorf("items (-want +got):\n%s", diff)
		}
		if times, phones := f.tellings(); times != 519 || phones != 519 {
			f.Errorf("%d phones were told %d times", phones, times)
		}
		items, err := f.store.SyncItems(f.Context(), j.ID, models.ItemSkipped, "", 9)
		if err != nil || len(items) != 2 || items[0].Reason+items[1].Reason != "in syncdisabled" && items[0].Reason+items[1].Reason != "disabledin sync" {
			f.Errorf("got %+v, %v", items, err)
		}
	})
}

// A phone that does not answer holds up nobody else.
func TestJobWithSilentPhone(t *testing.T) {
	eachDatabase(t, 40, func(f *fleet) {
		silent, answer := f.devices[0], make(chan struct{})
		f.obey = func(device string) string {
			if device == silent {
				<-answer
				return models.NotifyTimeout
			}
			return f.comeBack(device)
		}
		j := f.job(models.SyncJob{})
		f.serve("r1")
		f.eventually("the others are back", func() bool { return f.counts(j)[models.ItemReturned] == 39 })
		if got := f.counts(j); got[models.ItemSending] != 1 {
			f.Errorf("got %v", got)
		}
		close(answer)
		if _, counts := f.until(j, models.SyncFinished); counts[models.ItemUnreachable] != 1 {
			f.Errorf("got %v", counts)
		}
		f.each()
	})
}

func TestJobFilter(t *testing.T) {
	eachDatabase(t, 2, func(f *fleet) {
		provision := func(brand, family, model string) map[string]any {
			return map[string]any{"endpoint_brand": brand, "endpoint_family": family, "endpoint_model": model}
		}
		owner := models.NewID()
		wanted := f.device(models.Document{"name": "a", "owner_id": owner, "provision": provision("acme", "x", "x1")})
		f.device(models.Document{"name": "b", "owner_id": owner, "provision": provision("acme", "x", "x2")})
		f.device(models.Document{"name": "c", "provision": provision("other", "x", "x1")})
		f.serve("r1")
		var jobs []*models.SyncJob
		for _, filter := range []models.SyncFilter{
			{Brand: "acme", Family: "x", Model: "x1"}, {OwnerID: owner, Model: "x1"}, {Devices: []string{wanted}}, {Brand: "acme", Devices: []string{wanted, f.devices[0]}},
		} {
			jobs = append(jobs, f.job(models.SyncJob{Filter: filter}))
		}
		for _, j := range jobs {
			f.until(j, models.SyncFinished)
			items, err := f.store.SyncItems(f.Context(), j.ID, "", "", 9)
			if err != nil || len(items) != 1 || items[0].DeviceID != wanted {
				f.Errorf("%+v: got %+v, %v", j.Filter, items, err)
			}
		}
		if j, counts := f.until(f.job(models.SyncJob{Filter: models.SyncFilter{Brand: "none"}}), models.SyncFinished); counts.Total() != 0 || j.Finished.IsZero() {
			f.Errorf("got %+v, %v", j, counts)
		}
	})
}

// A canary that does not come back stops the job before the others are told.
func TestJobStops(t *testing.T) {
	eachDatabase(t, 30, func(f *fleet) {
		f.obey = func(device string) string { f.fetch(device); return models.NotifyAccepted } // its registration is broken
		percent := 20
		j := f.job(models.SyncJob{Canary: 3, StopAbove: &percent, Patience: 6 * time.Second})
		f.serve("r1")
		stopped, counts := f.until(j, models.SyncStopped)
		if want := (models.SyncCounts{models.ItemMissing: 3, models.ItemPending: 27}); !cmp.Equal(counts, want) {
			f.Errorf("got %v, want %v", counts, want)
		}
		if want := "3 of 3 phones did not come back within 6s: more than 20 %"; stopped.Reason != want {
			f.Errorf("got %q, want %q", stopped.Reason, want)
		}
		f.mu.Lock()
		f.obey = f.comeBack
		f.mu.Unlock()
		f.change(j, models.SyncRunning) // the three are forgiven
		_, counts = f.until(j, models.SyncFinished)
		if want := (models.SyncCounts{models.ItemMissing: 3, models.ItemReturned: 27}); !cmp.Equal(counts, want) {
			f.Errorf("got %v, want %v", counts, want)
		}
		f.each()
	})
}

// A canary that comes back lets the others be told; what is missing later
// stops the job as well.
func TestJobStopsAfterCanary(t *testing.T) {
	eachDatabase(t, 60, func(f *fleet) {
		f.obey = func(device string) string {
			if _, phones := f.tellings(); phones <= 2 {
				return f.comeBack(device)
			}
			return models.NotifyAccepted
		}
		percent := 50
		j := f.job(models.SyncJob{Canary: 2, StopAbove: &percent, Patience: 2 * time.Second, Rate: 10})
		f.serve("r1")
		_, counts := f.until(j, models.SyncStopped)
		if counts[models.ItemReturned] != 2 || counts[models.ItemMissing] < 8 || counts[models.ItemPending] == 0 {
			f.Errorf("got %v", counts)
		}
		f.each()
	})
}

func TestJobPausesAndEnds(t *testing.T) {
	eachDatabase(t, 60, func(f *fleet) {
		j := f.job(models.SyncJob{Rate: 30})
		f.serve("r1")
		f.eventually("some phones are told", func() bool { _, phones := f.tellings(); return phones > 3 })
		f.change(j, models.SyncPaused)
		f.eventually("those that were told are back", func() bool { return f.counts(j).Left() == f.counts(j)[models.ItemPending] })
		paused := f.counts(j)
		if paused[models.ItemPending] == 0 {
			f.Fatalf("got %v", paused)
		}
		f.change(j, models.SyncRunning)
		f.eventually("more phones are told", func() bool { return f.counts(j)[models.ItemPending] < paused[models.ItemPending] })
		f.change(j, models.SyncCancelled)
		left := f.counts(j)[models.ItemPending]
		f.eventually("those that were told are back", func() bool { return !f.counts(j).Active() })
		if got := f.counts(j); got[models.ItemPending] != left || left == 0 {
			f.Errorf("cancelled with %d pending, got %v", left, got)
		}
		f.each()
	})
}

// Servers share the jobs, each of which is at one of them; what one leaves in
// the middle the other ends.
func TestJobMovesToAnotherServer(t *testing.T) {
	eachDatabase(t, 90, func(f *fleet) {
		var mu sync.Mutex
		by := map[string]int{}
		counted := func(name string) func(*syncjob.Config) {
			return func(c *syncjob.Config) {
				c.Tell = func(o syncjob.Order) {
					mu.Lock()
					by[name]++
					mu.Unlock()
					f.tell(o)
				}
			}
		}
		j := f.job(models.SyncJob{Rate: 30})
		first := f.serve("r1", counted("first"))
		f.eventually("the first server tells phones", func() bool { _, phones := f.tellings(); return phones > 3 })
		f.serve("r2", counted("second"))
		f.eventually("it goes on", func() bool { _, phones := f.tellings(); return phones > 30 })
		mu.Lock()
		if by["second"] > 0 {
			f.Error("two servers worked on one job")
		}
		mu.Unlock()
		first()
		_, counts := f.until(j, models.SyncFinished)
		if counts[models.ItemReturned] != 90 || by["first"]+by["second"] != 90 || by["second"] == 0 {
			f.Errorf("got %v, told %v", counts, by)
		}
		f.each()
	})
}

// What a killed server was telling is found out, or told again as a
// retransmission; where that cannot be, not before the phone has had its time.
func TestJobAfterKill(t *testing.T) {
	eachDatabase(t, 6, func(f *fleet) {
		ctx := f.Context()
		j := f.job(models.SyncJob{ComeBack: models.BackFetched})
		if _, err := f.store.LeaseSyncJobs(ctx, "dead", 0, 9); err != nil {
			f.Fatal(err)
		}
		for more := true; more; {
			var err error
			if more, err = f.store.PrepareSyncJob(ctx, j, "dead", 4); err != nil {
				f.Fatal(err)
			}
		}
		overUDP, overTCP, fetched, answered, refused, elsewhere := f.devices[0], f.devices[1], f.devices[2], f.devices[3], f.devices[4], f.devices[5]
		for _, device := range f.devices {
			replica := "r1"
			if device == elsewhere {
				replica = "r2"
			}
			f.register(device, map[bool]string{true: "tcp", false: "udp"}[device == overTCP])
			if claimed, err := f.store.ClaimSyncItem(ctx, j.ID, device, "dead", replica); err != nil || !claimed {
				f.Fatal(claimed, err)
			}
		}
		f.fetch(fetched)
		for device, state := range map[string]string{answered: models.NotifyAccepted, refused: models.NotifyRefused, overUDP: models.NotifyTimeout} {
			n := &models.Notification{JobID: j.ID, AccountID: f.account.ID, DeviceID: device, State: state, Created: time.Now()}
			if err := f.store.SaveNotification(ctx, n); err != nil {
				f.Fatal(err)
			}
		}
		stop := f.serve("r1")
		f.eventually("all but two are settled", func() bool { return f.counts(j)[models.ItemSending] == 2 && f.counts(j)[models.ItemReturned] == 2 })
		want := models.SyncCounts{models.ItemSending: 2, models.ItemReturned: 2, models.ItemWaiting: 1, models.ItemRefused: 1}
		if diff := cmp.Diff(want, f.counts(j)); diff != "" {
			f.Errorf("items (-want +got):\n%s", diff)
		}
		if times, _ := f.tellings(); times != 1 || f.told[overUDP] != 1 {
			f.Errorf("got %v", f.told)
		}
		stop()
		f.fetch(answered)
		f.ahead = 34 * time.Second
		f.serve("r1", func(c *syncjob.Config) { c.Now = func() time.Time { return time.Now().Add(f.ahead) } })
		_, counts := f.until(j, models.SyncFinished)
		if counts[models.ItemReturned] != 5 || f.told[overTCP] != 1 || f.told[elsewhere] != 1 || len(f.told) != 3 {
			f.Errorf("got %v, told %v", counts, f.told)
		}
		f.each()
	})
}
