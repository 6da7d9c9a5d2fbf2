package provisioner

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"dialtone/models"
)

// A Trial is a sample as one model: a phone that is in no database, to try
// templates with.
type Trial struct {
	Sample   string // name of the sample
	File     string // that holds it: "acme/samples/plain.json"
	Model    Model
	ID       string // provision.id, "" = none
	Override bool   // of templates in folders that no manifest lists
	Phone    *models.Phone
	Service  *Service // renders for this phone, and keeps nothing
}

// Trials are the samples of a brand as all models they are meant for.
func (c *Catalog) Trials(fsys fs.FS, brand string) ([]Trial, error) {
	b, ok := c.brands[brand]
	if !ok {
		return nil, models.ErrNotFound
	}
	samples, err := loadSamples(fsys, brand)
	if err != nil {
		return nil, err
	}
	var trials []Trial
	for _, s := range samples {
		listed := b.targets(s)
		for i, target := range append(listed, c.overrideTargets(b)...) {
			trial, err := c.trial(s, target)
			if err != nil {
				return nil, &FileError{File: s.file, Reason: err.Error()}
			}
			trial.Override = i >= len(listed)
			trials = append(trials, trial)
		}
	}
	return trials, nil
}

// TrialOf is one sample as one model. An empty brand or model is that of the
// sample's device; without any the first model of the brand.
func (c *Catalog) TrialOf(fsys fs.FS, file, brand, model string) (Trial, error) {
	s, err := readSample(fsys, file)
	if err != nil {
		return Trial{}, err
	}
	p := s.phone.Device.Provision
	brand = cmp.Or(brand, p.Brand)
	b, ok := c.brands[brand]
	if !ok {
		return Trial{}, fmt.Errorf("brand %q: %w", brand, models.ErrNotFound)
	}
	known := slices.Concat(s.models, modelNames(b), []string{unlistedModel})
	model = cmp.Or(model, string(p.Model), known[0])
	return c.trial(s, target{id: p.ID, model: b.model("", model)})
}

func modelNames(b *brand) []string {
	var names []string
	for _, key := range b.modelKeys() {
		names = append(names, key.model)
	}
	return names
}

func (c *Catalog) trial(s sample, t target) (Trial, error) {
	phone, err := s.forTarget(t)
	if err != nil {
		return Trial{}, err
	}
	account := *phone.Account
	account.PathToken = sampleToken
	phone.Account = &account
	samples := &Service{store: sampleStore{s}, opts: Options{
		BaseURL: sampleURL, Registrar: sampleRegistrar, Now: func() time.Time { return sampleNow },
	}}
	service := samples.With(c)
	return Trial{Sample: s.name, File: s.file, Model: t.model, ID: t.id, Phone: phone, Service: service}, nil
}

// Files renders every file that the phone could ask for.
func (t *Trial) Files(ctx context.Context) ([]File, error) {
	var files []File
	for _, file := range t.Service.FilesOf(t.Phone) {
		f, err := t.Service.DeviceFile(ctx, t.Phone, file.Name)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// WithSecrets is the trial with each of its secrets replaced. Those that a
// template reads of the account, and the sample lacks, are there as well.
func (t Trial) WithSecrets(replace func(string) string) (Trial, error) {
	_, planted, err := t.Service.changed(t.Phone, func(layer string, doc models.Document) models.Document {
		if layer == LayerAccount {
			t.Service.Catalog().templates.plantSecrets(doc)
		}
		return doc
	})
	if err != nil {
		return Trial{}, err
	}
	other := t
	other.Service, other.Phone, err = t.Service.withSecrets(planted,
		func(doc models.Document) models.Document {
			return doc.WithSecrets(func(v any) any { return replace(fmt.Sprint(v)) })
		},
		func(secret models.Secret) models.Secret { return models.Secret(replace(secret.Reveal())) })
	return other, err
}

// plantSecrets adds the secrets of an account that templates read.
func (t *templateTree) plantSecrets(account models.Document) {
	for _, path := range t.reads {
		if path[0] != LayerAccount || !models.IsSecretName(path[len(path)-1]) {
			continue
		}
		member := strings.Join(path[1:], ".")
		if _, there := account.Lookup(member); !there {
			account.Set(member, "planted")
		}
	}
}

// A PhoneFile is a file that a phone could ask for.
type PhoneFile struct {
	Name string
	Rule *FileRule // not to be changed
}

// FilesOf are the files that a phone could ask for, in its manifest's order;
// none without a MAC or a known brand.
func (s *Service) FilesOf(phone *models.Phone) []PhoneFile {
	p := phone.Device.Provision
	b, known := s.Catalog().brands[p.Brand]
	mac, hasMAC := phone.Device.MAC()
	if !known || !hasMAC {
		return nil
	}
	var files []PhoneFile
	for _, file := range b.deviceFiles(b.model(p.Family, string(p.Model)), mac) {
		files = append(files, PhoneFile{Name: file.name, Rule: file.rule})
	}
	return files
}

// sampleStore holds what a sample has beside its phone.
type sampleStore struct{ sample sample }

// UsersByID finds users of the sample.
func (s sampleStore) UsersByID(_ context.Context, _ string, ids []string) ([]*models.User, error) {
	var found []*models.User
	for _, u := range s.sample.users {
		if slices.Contains(ids, u.ID) {
			found = append(found, u)
		}
	}
	slices.SortFunc(found, func(a, b *models.User) int { return strings.Compare(a.ID, b.ID) })
	return found, nil
}

// Users lists users of the sample by id.
func (s sampleStore) Users(_ context.Context, _, after string, limit int) ([]*models.User, error) {
	users := slices.SortedFunc(slices.Values(s.sample.users), func(a, b *models.User) int { return strings.Compare(a.ID, b.ID) })
	users = slices.DeleteFunc(users, func(u *models.User) bool { return u.ID <= after })
	return users[:min(len(users), limit)], nil
}

// LastFetches finds none.
func (sampleStore) LastFetches(context.Context, string) ([]models.Fetch, error) { return nil, nil }

// Uploads finds none.
func (sampleStore) Uploads(context.Context, string) ([]models.Upload, error) { return nil, nil }
