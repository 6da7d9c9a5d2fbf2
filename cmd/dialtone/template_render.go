package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/provisioner"
	"dialtone/provisioner/author"
)

// A subject says whose files a command looks at: a device of the database, or
// a sample as a model.
type subject struct {
	device, sample, brand, model string
}

func (s *subject) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.device, "device", "", "id or MAC of a device in the database")
	cmd.Flags().StringVar(&s.sample, "sample", "", "sample: a file, or <brand>/<name> of the templates")
	cmd.MarkFlagsMutuallyExclusive("device", "sample")
	addSettings(cmd, "templates.", "db.", "secrets.", "log.", "phones.url", "phones.addr", "phones.tls_addr", "sip.registrar", "sip.proxy", "sip.addr")
	addOutput(cmd)
}

// with gives work the phone and a service that renders for it. The database is
// opened only for a device.
func (s *subject) with(cmd *cobra.Command, work func(*provisioner.Catalog, *provisioner.Service, *models.Phone) error) error {
	return withTree(cmd, func(tree *templateTree, catalog *provisioner.Catalog) error {
		if s.device == "" {
			trial, err := s.trial(tree, catalog)
			if err != nil {
				return err
			}
			return work(catalog, trial.Service, trial.Phone)
		}
		return withStore(cmd, func(c Config, store *sqlstore.Store) error {
			phone, err := s.phone(cmd.Context(), store)
			if err != nil {
				return err
			}
			service, err := newFiles(c, store, catalog)
			if err != nil {
				return err
			}
			return work(catalog, service, phone)
		})
	})
}

// newFiles is a service that renders as `dialtone serve` would with these
// settings.
func newFiles(c Config, store provisioner.Store, catalog *provisioner.Catalog) (*provisioner.Service, error) {
	baseURL, err := phonesURL(c, c.Phones.Addr, c.Phones.TLSAddr)
	if err != nil {
		return nil, err
	}
	return provisioner.NewService(store, catalog, provisioner.Options{BaseURL: baseURL, Registrar: registrar(c, baseURL, portOf(c.SIP.Addr))}), nil
}

func (s *subject) phone(ctx context.Context, store *sqlstore.Store) (*models.Phone, error) {
	phone, err := store.PhoneOfDevice(ctx, s.device)
	if mac, noMAC := models.ParseMAC(s.device); noMAC == nil {
		phone, err = store.PhoneByMAC(ctx, mac)
	}
	if errors.Is(err, models.ErrNotFound) {
		return nil, fmt.Errorf("the database has no device with the id or MAC %q", s.device)
	}
	return phone, err
}

// trial is the sample as the model: of a file, else of the templates' own.
func (s *subject) trial(tree *templateTree, catalog *provisioner.Catalog) (provisioner.Trial, error) {
	if s.sample == "" {
		if err := author.CheckBrands(catalog, s.brand); err != nil {
			return provisioner.Trial{}, err
		}
		samples, err := fs.Glob(tree, path.Join(s.brand, "samples", "*.json"))
		if err != nil || len(samples) == 0 {
			return provisioner.Trial{}, fmt.Errorf("brand %q has no sample", s.brand)
		}
		return catalog.TrialOf(tree, samples[0], s.brand, s.model)
	}
	if brand, name, ok := strings.Cut(s.sample, "/"); ok && !strings.Contains(name, "/") {
		file := path.Join(brand, "samples", strings.TrimSuffix(name, ".json")+".json")
		if _, err := fs.Stat(tree, file); err == nil {
			return s.trialOf(catalog, tree, file, cmp.Or(s.brand, brand))
		}
	}
	if _, err := os.Stat(s.sample); err != nil {
		return provisioner.Trial{}, fmt.Errorf("sample %s: there is neither such a file nor, as <brand>/<name>, such a sample", s.sample)
	}
	brand := s.brand
	if folder := filepath.Dir(filepath.Dir(s.sample)); brand == "" && slices.Contains(catalog.Brands(), filepath.Base(folder)) {
		brand = filepath.Base(folder)
	}
	trial, err := s.trialOf(catalog, os.DirFS(filepath.Dir(s.sample)), filepath.Base(s.sample), brand)
	if mistake, ok := errors.AsType[*provisioner.FileError](err); ok && mistake.File == filepath.Base(s.sample) {
		mistake.File = s.sample
	}
	return trial, err
}

// trialOf is the sample in a file, as a model that there is.
func (s *subject) trialOf(catalog *provisioner.Catalog, fsys fs.FS, file, brand string) (provisioner.Trial, error) {
	trial, err := catalog.TrialOf(fsys, file, brand, s.model)
	if err == nil && s.model != "" {
		err = author.CheckModel(catalog, trial.Model.Brand, s.model)
	}
	return trial, err
}

func newTemplateRenderCommand() *cobra.Command {
	var s subject
	var file string
	var reveal bool
	cmd := &cobra.Command{
		Use: "render", Short: "Render the files of a device or of a sample", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.with(cmd, func(_ *provisioner.Catalog, service *provisioner.Service, phone *models.Phone) error {
				var names []string
				for _, f := range service.FilesOf(phone) {
					names = append(names, f.Name)
				}
				if file != "" {
					if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, file) }) {
						return fmt.Errorf("file %s: the device has %s", file, cmp.Or(strings.Join(names, ", "), "no files"))
					}
					names = []string{file}
				}
				return printFiles(cmd, service, phone, names, reveal)
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "only this file")
	cmd.Flags().StringVar(&s.brand, "brand", "", "brand to render a sample as")
	cmd.Flags().StringVar(&s.model, "model", "", "model to render a sample as")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show secrets")
	s.flags(cmd)
	cmd.MarkFlagsOneRequired("device", "sample")
	return cmd
}

func printFiles(cmd *cobra.Command, service *provisioner.Service, phone *models.Phone, names []string, reveal bool) error {
	if len(names) == 0 {
		return errors.New("there are no files for this device: it needs a MAC and a known brand")
	}
	type renderedFile struct {
		Name        string `json:"name"`
		Role        string `json:"role"`
		ContentType string `json:"content_type"`
		Body        string `json:"body"`
	}
	files := []renderedFile{}
	for _, name := range names {
		f, err := service.Preview(cmd.Context(), phone, name, reveal)
		if err != nil {
			return err
		}
		files = append(files, renderedFile{f.Name, f.Role, f.ContentType, string(f.Body)})
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, files)
	}
	for _, f := range files {
		if len(files) > 1 {
			fmt.Fprintf(cmd.OutOrStdout(), "==> %s <==\n", f.Name)
		}
		fmt.Fprint(cmd.OutOrStdout(), f.Body)
	}
	return nil
}

func newTemplateExplainCommand() *cobra.Command {
	var s subject
	cmd := &cobra.Command{
		Use: "explain MODEL PARAM", Short: "Tell which template line and which layer a parameter comes from", Args: cobra.ExactArgs(2),
		Long: `Tell which template line writes a parameter, and which members of which layer
(manifest, account, owner, device, line, user, server) its line depends on. MODEL may
be written brand/model; of a device it is its own. Without --device and --sample the
brand's first sample is taken.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withTree(cmd, func(_ *templateTree, catalog *provisioner.Catalog) (err error) {
				if s.brand, s.model, err = author.FindModel(catalog, args[0]); err != nil {
					return err
				}
				return s.with(cmd, func(catalog *provisioner.Catalog, service *provisioner.Service, phone *models.Phone) error {
					return explain(cmd, catalog, service, phone, args[1])
				})
			})
		},
	}
	s.flags(cmd)
	return cmd
}

func explain(cmd *cobra.Command, catalog *provisioner.Catalog, service *provisioner.Service, phone *models.Phone, parameter string) error {
	lines, err := author.Explain(cmd.Context(), catalog, service, phone, parameter)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(lines, func(l author.ExplainedSetting) bool { return l.Incomplete }) {
		fmt.Fprintln(cmd.ErrOrStderr(), "there is too much in the documents to try all of it: a line may depend on more than is told")
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, lines)
	}
	t := table{columns: []string{"file", "line", "text", "template", "from"}}
	for _, l := range lines {
		t.add(l.File, fmt.Sprint(l.Line), l.Text, l.Template, cmp.Or(strings.Join(l.From, ", "), "the template"))
	}
	return t.print(cmd)
}

func newTemplateDiffCommand() *cobra.Command {
	var against string
	cmd := &cobra.Command{
		Use: "diff --against DIR", Short: "Tell which devices would get other files from the templates in DIR", Args: cobra.NoArgs,
		Long: `Tell which devices of the database would get other files if DIR were
templates.dir, grouped by identical difference, secrets masked. Exit code 4 when
any would.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTree(cmd, func(_ *templateTree, before *provisioner.Catalog) error {
				tree, err := openTreeAt(against)
				if err != nil {
					return err
				}
				defer tree.close()
				after, err := provisioner.Parse(tree)
				if err != nil {
					return err
				}
				return withStore(cmd, func(c Config, store *sqlstore.Store) error {
					users := &accountUsers{Store: store}
					service, err := newFiles(c, users, before)
					if err != nil {
						return err
					}
					groups, err := diffDevices(cmd, store, author.NewDiffer(service.With(before), service.With(after)))
					if err != nil {
						return err
					}
					return printGroups(cmd, groups, "device")
				})
			})
		},
	}
	cmd.Flags().StringVar(&against, "against", "", "folder to compare templates.dir with")
	_ = cmd.MarkFlagRequired("against") // fails only for flags that do not exist
	addSettings(cmd, "templates.", "db.", "secrets.", "log.", "phones.url", "phones.addr", "phones.tls_addr", "sip.registrar", "sip.proxy", "sip.addr")
	addOutput(cmd)
	return cmd
}

// accountUsers keeps the users of the account that was asked for last: the
// phonebook of all its phones is made of them.
type accountUsers struct {
	provisioner.Store
	account string
	pages   map[string][]*models.User // by the id that they follow
}

// Users reads a page of an account's users.
func (a *accountUsers) Users(ctx context.Context, accountID, after string, limit int) ([]*models.User, error) {
	if a.account != accountID {
		a.account, a.pages = accountID, map[string][]*models.User{}
	}
	if page, known := a.pages[after]; known {
		return page, nil
	}
	page, err := a.Store.Users(ctx, accountID, after, limit)
	if err == nil {
		a.pages[after] = page
	}
	return page, err
}

// progressEvery is how often a long command says how far it is.
const progressEvery = 5 * time.Second

// diffDevices compares the files of every device, a page at a time.
func diffDevices(cmd *cobra.Command, store *sqlstore.Store, differ *author.Differ) (*author.Groups, error) {
	ctx := cmd.Context()
	groups := &author.Groups{}
	compared, told := 0, time.Now()
	err := eachDevice(ctx, store, func(d *models.Device) error {
		if compared++; time.Since(told) > progressEvery {
			told = time.Now()
			fmt.Fprintf(cmd.ErrOrStderr(), "%s compared\n", count(compared, "device"))
		}
		return diffDevice(ctx, store, differ, d, groups)
	})
	if err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s compared\n", count(compared, "device"))
	}
	return groups, err
}

func diffDevice(ctx context.Context, store *sqlstore.Store, differ *author.Differ, d *models.Device, groups *author.Groups) error {
	phone, err := store.PhoneOfDevice(ctx, d.ID)
	if errors.Is(err, models.ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	text, err := differ.Phone(ctx, phone)
	if err != nil {
		return fmt.Errorf("device %s: %w", d.ID, err)
	}
	if text != "" {
		groups.Add(author.Difference{Name: d.ID, Text: text})
	}
	return nil
}
