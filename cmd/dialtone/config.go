package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dialtone/api"
	"dialtone/internal/limit"
	"dialtone/internal/logsample"
	"dialtone/internal/mail"
	"dialtone/internal/nearest"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/provisioner/phonehttp"
)

// Config is what the program was told, from flags, environment, file and
// defaults. Addresses are host:port; an empty one turns a listener off.
type Config struct {
	DB struct {
		URL     string `koanf:"url"`
		Migrate bool   `koanf:"migrate"`
	} `koanf:"db"`
	API struct {
		Addr    string `koanf:"addr"`
		TLSCert string `koanf:"tls_cert"`
		TLSKey  string `koanf:"tls_key"`
	} `koanf:"api"`
	Phones struct {
		Addr    string `koanf:"addr"`
		TLSAddr string `koanf:"tls_addr"`
		TLSCert string `koanf:"tls_cert"`
		TLSKey  string `koanf:"tls_key"`
		URL     string `koanf:"url"`

		TLSOldAddr string `koanf:"tls_old_addr"`

		ACMEDomains string `koanf:"acme_domains"`
		ACMEEmail   string `koanf:"acme_email"`
		ACMECA      string `koanf:"acme_ca"`
		ACMEDir     string `koanf:"acme_dir"`

		StaleFor   string `koanf:"stale_for"`
		CacheBytes int64  `koanf:"cache_bytes"`
		Decoys     string `koanf:"decoys"`

		ClientCADir string `koanf:"client_ca_dir"`

		MaxConnections string `koanf:"max_connections"`

		TrustedProxies   string `koanf:"trusted_proxies"`
		ProxyCertificate string `koanf:"proxy_certificate"`
	} `koanf:"phones"`
	SIP struct {
		Addr           string `koanf:"addr"`
		TLSAddr        string `koanf:"tls_addr"`
		Registrar      string `koanf:"registrar"`
		Proxy          string `koanf:"proxy"`
		SenderUsername string `koanf:"sender_username"`
		SenderPassword string `koanf:"sender_password"`
		Ping           string `koanf:"ping"`
		MaxConnections string `koanf:"max_connections"`
		PnP            string `koanf:"pnp"`
		PnPAddr        string `koanf:"pnp_addr"`
		PnPInterface   string `koanf:"pnp_interface"`
		PnPNetworks    string `koanf:"pnp_networks"`
	} `koanf:"sip"`
	Templates struct {
		Dir string `koanf:"dir"`
	} `koanf:"templates"`
	Assets struct {
		Dir string `koanf:"dir"`
	} `koanf:"assets"`
	Uploads struct {
		MaxBytes int64 `koanf:"max_bytes"`
	} `koanf:"uploads"`
	Secrets struct {
		Keyset string `koanf:"keyset"`
	} `koanf:"secrets"`
	Auth struct {
		APITokenLife  string `koanf:"api_token_life"`
		UserTokenLife string `koanf:"user_token_life"`
	} `koanf:"auth"`
	Mail struct {
		URL     string `koanf:"url"`
		From    string `koanf:"from"`
		Portals string `koanf:"portals"`
	} `koanf:"mail"`
	Limits struct {
		Exempt   string `koanf:"exempt"`
		APIRate  string `koanf:"api_rate"`
		APIBurst string `koanf:"api_burst"`

		PhoneSourceRate   string `koanf:"phone_source_rate"`
		PhoneSourceBurst  string `koanf:"phone_source_burst"`
		PhoneAccountRate  string `koanf:"phone_account_rate"`
		PhoneAccountBurst string `koanf:"phone_account_burst"`
	} `koanf:"limits"`
	Audit struct {
		Retention string `koanf:"retention"`
	} `koanf:"audit"`
	Log struct {
		Level     string `koanf:"level"`
		Format    string `koanf:"format"`
		PerSecond string `koanf:"per_second"`
	} `koanf:"log"`
}

// A setting is one key of the configuration: the flag --key, the member of the
// file, and the environment variable that envName makes of it.
type setting struct{ key, value, help string }

var settings = []setting{
	{"db.url", "sqlite:dialtone.db", "database: sqlite:PATH or mysql://user:pass@host:port/name"},
	{"db.migrate", "true", "apply pending migrations at start"},
	{"api.addr", "127.0.0.1:8000", "REST API, /docs, /openapi.yaml, /healthz, /readyz, /metrics"},
	{"api.tls_cert", "", "certificate chains (PEM files, comma-separated) of the REST API, which then speaks HTTPS; empty = HTTP"},
	{"api.tls_key", "", "their private keys (PEM files), in the same order"},
	{"phones.addr", ":8080", "HTTP for phones; empty = off"},
	{"phones.tls_addr", "", "HTTPS for phones; empty = off"},
	{"phones.tls_old_addr", "", "HTTPS for old phones, with TLS 1.0 and weak ciphers; empty = off"},
	{"phones.tls_cert", "", "certificate chains (PEM files, comma-separated: ECDSA and RSA) of phones.tls_addr and sip.tls_addr"},
	{"phones.tls_key", "", "their private keys (PEM files), in the same order"},
	{"phones.acme_domains", "", "names (comma-separated) for which certificates are obtained by ACME, in place of phones.tls_cert; you accept the authority's terms; empty = off"},
	{"phones.acme_email", "", "address that the authority may write to"},
	{"phones.acme_ca", "", "directory of the authority (URL); empty = Let's Encrypt"},
	{"phones.acme_dir", "", "folder of these certificates and keys, shared by all servers; empty = beside the database"},
	{"phones.url", "", "base URL written into configurations; empty = derived from the listener"},
	{"phones.max_connections", "20000", "HTTP and HTTPS connections of phones at once"},
	{"phones.trusted_proxies", "", "networks (CIDR, comma-separated) of reverse proxies whose X-Forwarded-For or Forwarded, and X-Forwarded-Proto, are believed; empty = nobody's"},
	{"phones.proxy_certificate", "", "header in which they hand on the certificate of a phone: Client-Cert (RFC 9440) or X-SSL-Client-Cert (nginx); empty = none"},
	{"phones.stale_for", "24h", "how old the last good file of a phone may be that is served when the database or a template fails; 0 = none is"},
	{"phones.cache_bytes", "67108864", "bytes of rendered files kept in memory"},
	{"phones.client_ca_dir", "", "folder of authorities (<brand>*.pem) whose certificates phones may show over HTTPS; empty = none"},
	{"phones.decoys", "", "MACs (comma-separated) that no phone has: who asks for one is locked out"},
	{"sip.addr", ":5060", "SIP over UDP and TCP; empty = off"},
	{"sip.tls_addr", "", "SIP over TLS; empty = off"},
	{"sip.registrar", "", "host[:port] that phones register with; empty = derived"},
	{"sip.proxy", "", "send NOTIFY through this host[:port] instead of the built-in registrar's bindings"},
	{"sip.sender_username", "", "answers sip.proxy when it asks who sends a NOTIFY; empty = the device's own"},
	{"sip.sender_password", "", "its password; better in the environment or the file than on the command line"},
	{"sip.ping", "0", "keep NATs open: OPTIONS to each phone on UDP this often, like 30s; 0 = never"},
	{"sip.max_connections", "20000", "TCP and TLS connections of phones at once"},
	{"sip.pnp", pnpOff, "tell phones that ask by SIP where their files are: off, known (devices), or the id of an account that unknown phones get"},
	{"sip.pnp_addr", "224.0.1.75:5060", "multicast address and port where such phones ask; empty = they ask sip.addr only"},
	{"sip.pnp_interface", "", "network interface of sip.pnp_addr; empty = the system's choice"},
	{"sip.pnp_networks", privateNetworks, "networks (CIDR, comma-separated) of phones that may be told"},
	{"templates.dir", "", "overlay folder whose files replace the built-in templates"},
	{"assets.dir", "", "folder of firmware, logos, ring tones for phones; empty = off"},
	{"uploads.max_bytes", "4194304", "bytes of logs and other files that one phone may store; 0 = none"},
	{"secrets.keyset", "", "file with the key for secrets at rest; empty = beside the database"},
	{"auth.api_token_life", "1h", "how long tokens bought with an API key are good"},
	{"auth.user_token_life", "1h", "how long tokens bought with a user's password are good"},
	{"mail.url", "", "server for mails: smtp://user:pass@host:port or smtps://...; empty = no mail, and no recovery of passwords"},
	{"mail.from", "", "address that mails come from"},
	{"mail.portals", "", "hosts (host or host:port, comma-separated) that links in mails may lead to; needed by mail.url"},
	{"limits.exempt", "", "networks (CIDR, comma-separated) that are never locked out and never limited"},
	{"limits.api_rate", "350", "tokens that an account or address gains per second for API requests; 0 = no limit"},
	{"limits.api_burst", "3500", "tokens that an account or address can have; a request takes 1, a login 35"},
	{"limits.phone_source_rate", "500", "requests for files that an address gains per second; 0 = no limit"},
	{"limits.phone_source_burst", "20000", "requests for files that an address can have at most"},
	{"limits.phone_account_rate", "5000", "requests for files that an account gains per second; 0 = no limit"},
	{"limits.phone_account_burst", "200000", "requests for files that an account can have at most"},
	{"audit.retention", "17520h", "how long the audit is kept: a duration like 8760h; 0 = for ever"},
	{"log.level", "info", "debug, info, warn or error"},
	{"log.format", "", "text or json; empty = text on a terminal, json otherwise"},
	{"log.per_second", "100", "lines of each kind at level info; what is more is left out and counted; 0 = all are logged"},
}

// The values of sip.pnp that are no account.
const (
	pnpOff   = "off"
	pnpKnown = "known"
)

// privateNetworks are those that nobody has on the Internet.
const privateNetworks = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,127.0.0.0/8,fc00::/7,fe80::/10,::1/128"

const envPrefix = "DIALTONE_"

// envName is the environment variable of a key: db.url is DIALTONE_DB__URL.
func envName(key string) string {
	if key == "secrets.keyset" {
		return "DIALTONE_SECRETS__KEYSET_FILE" // says that it names a file
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
}

// addSettings gives a command the flags of the settings it uses, by the
// beginnings of their keys.
func addSettings(cmd *cobra.Command, prefixes ...string) {
	for _, s := range settings {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s.key, p) }) {
			cmd.Flags().String(s.key, s.value, s.help)
		}
	}
	cmd.Flags().String("config", "", "configuration file (YAML)")
}

// loadConfig puts the configuration together: flag, environment, file, default.
func loadConfig(cmd *cobra.Command, environ []string) (Config, error) {
	k := koanf.New(".")
	defaults := map[string]any{}
	for _, s := range settings {
		defaults[s.key] = s.value
	}
	if err := k.Load(confmap.Provider(defaults, "."), nil); err != nil {
		return Config{}, err
	}
	if path := cmd.Flag("config").Value.String(); path != "" {
		if err := loadFile(k, path); err != nil {
			return Config{}, err
		}
	}
	if err := loadEnvironment(k, environ); err != nil {
		return Config{}, err
	}
	flags := posflag.ProviderWithFlag(cmd.Flags(), ".", nil, func(f *pflag.Flag) (string, any) {
		if !f.Changed || !isSetting(f.Name) {
			return "", nil
		}
		return f.Name, f.Value.String()
	})
	if err := k.Load(flags, nil); err != nil {
		return Config{}, err
	}
	var c Config
	if err := k.Unmarshal("", &c); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return c, c.check(k)
}

func loadFile(k *koanf.Koanf, path string) error {
	fromFile := koanf.New(".")
	if err := fromFile.Load(file.Provider(path), yaml.Parser()); err != nil {
		return fmt.Errorf("configuration file %s: %w", path, err)
	}
	for _, key := range fromFile.Keys() {
		if !isSetting(key) {
			return fmt.Errorf("configuration file %s: %w", path, unknownKey(key, settingKeys()))
		}
	}
	return k.Merge(fromFile)
}

func loadEnvironment(k *koanf.Koanf, environ []string) error {
	byName := map[string]string{}
	for _, s := range settings {
		byName[envName(s.key)] = s.key
	}
	var unknown error
	err := k.Load(env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			key, ok := byName[name]
			if !ok {
				unknown = errors.Join(unknown, fmt.Errorf("environment: %w", unknownKey(name, slices.Sorted(maps.Keys(byName)))))
			}
			return key, value
		},
	}), nil)
	return cmp.Or(unknown, err)
}

// check refuses values that would only fail later, naming their keys.
func (c Config) check(k *koanf.Koanf) error {
	for _, key := range []string{"api.addr", "phones.addr", "phones.tls_addr", "phones.tls_old_addr", "sip.addr", "sip.tls_addr"} {
		if addr := k.String(key); addr != "" {
			if err := checkAddr(addr); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	if err := c.checkCertificates(); err != nil {
		return err
	}
	if c.Phones.URL != "" {
		u, err := url.Parse(c.Phones.URL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return errors.New("phones.url: want http://host[:port] or https://host[:port]")
		}
	}
	if _, err := c.staleFor(); err != nil {
		return err
	}
	if c.Phones.CacheBytes < 1<<20 {
		return fmt.Errorf("phones.cache_bytes: want a number of bytes from 1048576, got %d", c.Phones.CacheBytes)
	}
	if _, _, err := c.sipLimits(); err != nil {
		return err
	}
	if err := c.checkPnP(); err != nil {
		return err
	}
	if c.Uploads.MaxBytes < 0 {
		return fmt.Errorf("uploads.max_bytes: want a number of bytes, got %d", c.Uploads.MaxBytes)
	}
	if _, err := c.exempt(); err != nil {
		return err
	}
	if _, err := c.maxConnections(); err != nil {
		return err
	}
	if _, err := c.proxies(); err != nil {
		return err
	}
	if _, err := c.decoys(); err != nil {
		return err
	}
	if _, _, err := c.apiLimits(); err != nil {
		return err
	}
	if _, _, err := c.phoneMeters(nil); err != nil {
		return err
	}
	if _, _, err := c.tokenLives(); err != nil {
		return err
	}
	if _, err := c.auditRetention(); err != nil {
		return err
	}
	if _, err := c.mails(nil); err != nil {
		return err
	}
	if _, err := c.level(); err != nil {
		return err
	}
	if c.Log.Format != "" && c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf("log.format: want text or json, got %q", c.Log.Format)
	}
	_, err := c.linesPerSecond()
	return err
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("want host:port, got %q", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("want a port from 0 to 65535, got %q", port)
	}
	return nil
}

// exempt is the networks of limits.exempt.
func (c Config) exempt() ([]netip.Prefix, error) { return networks("limits.exempt", c.Limits.Exempt) }

// networks reads a list of networks.
func networks(key, list string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, part := range items(list) {
		network, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no network like 192.0.2.0/24", key, part)
		}
		all = append(all, network)
	}
	return all, nil
}

func (c Config) checkPnP() error {
	if c.SIP.PnP == pnpOff {
		return nil
	}
	if c.SIP.PnP != pnpKnown && !models.ValidID(c.SIP.PnP) {
		return fmt.Errorf("sip.pnp: want off, known or the id of an account, got %q", c.SIP.PnP)
	}
	if c.SIP.Addr == "" {
		return errors.New("sip.pnp: needs sip.addr")
	}
	group, err := netip.ParseAddrPort(c.SIP.PnPAddr)
	if c.SIP.PnPAddr != "" && (err != nil || !group.Addr().Is4() || !group.Addr().IsMulticast()) {
		return fmt.Errorf("sip.pnp_addr: want a multicast address and port, like 224.0.1.75:5060, got %q", c.SIP.PnPAddr)
	}
	_, err = networks("sip.pnp_networks", c.SIP.PnPNetworks)
	return err
}

// maxConnections is phones.max_connections.
func (c Config) maxConnections() (int, error) {
	return between("phones.max_connections", c.Phones.MaxConnections, 1, 1_000_000)
}

// proxies are phones.trusted_proxies and phones.proxy_certificate.
func (c Config) proxies() (phonehttp.Proxies, error) {
	trusted, err := networks("phones.trusted_proxies", c.Phones.TrustedProxies)
	if err != nil {
		return phonehttp.Proxies{}, err
	}
	header := http.CanonicalHeaderKey(c.Phones.ProxyCertificate)
	if header != "" && !slices.Contains(phonehttp.CertHeaders, header) {
		return phonehttp.Proxies{}, fmt.Errorf("phones.proxy_certificate: want Client-Cert or X-SSL-Client-Cert, got %q", c.Phones.ProxyCertificate)
	}
	if header != "" && (len(trusted) == 0 || c.Phones.ClientCADir == "") {
		return phonehttp.Proxies{}, errors.New("phones.proxy_certificate: needs phones.trusted_proxies and phones.client_ca_dir")
	}
	return phonehttp.Proxies{Networks: trusted, CertHeader: header}, nil
}

// decoys is the MACs of phones.decoys.
func (c Config) decoys() ([]models.MAC, error) {
	var macs []models.MAC
	for _, part := range items(c.Phones.Decoys) {
		mac, err := models.ParseMAC(part)
		if err != nil {
			return nil, fmt.Errorf("phones.decoys: %w", err)
		}
		macs = append(macs, mac)
	}
	return macs, nil
}

// apiLimits are limits.api_rate and limits.api_burst. A bucket must have room for
// what a login costs.
func (c Config) apiLimits() (perSecond, burst int, err error) {
	if perSecond, err = between("limits.api_rate", c.Limits.APIRate, 0, 1_000_000); err != nil {
		return 0, 0, err
	}
	burst, err = between("limits.api_burst", c.Limits.APIBurst, api.LoginCost, 1_000_000_000)
	return perSecond, burst, err
}

// phoneMeters limit the requests for files of an address and of an account; nil
// = not.
func (c Config) phoneMeters(exempt []netip.Prefix) (sources, accounts phonehttp.Meter, err error) {
	meter := func(key, rate, burst string) (phonehttp.Meter, error) {
		perSecond, err := between(key+"_rate", rate, 0, 1_000_000)
		if err != nil {
			return nil, err
		}
		most, err := between(key+"_burst", burst, 1, 1_000_000_000)
		if err != nil || perSecond == 0 {
			return nil, err
		}
		return limit.NewMeter(perSecond, most, exempt, time.Now), nil
	}
	if sources, err = meter("limits.phone_source", c.Limits.PhoneSourceRate, c.Limits.PhoneSourceBurst); err != nil {
		return nil, nil, err
	}
	accounts, err = meter("limits.phone_account", c.Limits.PhoneAccountRate, c.Limits.PhoneAccountBurst)
	return sources, accounts, err
}

// sipLimits are sip.ping and sip.max_connections.
func (c Config) sipLimits() (ping time.Duration, connections int, err error) {
	ping, err = time.ParseDuration(c.SIP.Ping)
	if err != nil || ping != 0 && (ping < 5*time.Second || ping > time.Hour) {
		return 0, 0, fmt.Errorf("sip.ping: want a time from 5s to 1h, or 0, got %q", c.SIP.Ping)
	}
	connections, err = between("sip.max_connections", c.SIP.MaxConnections, 1, 1_000_000)
	return ping, connections, err
}

// staleFor is phones.stale_for.
func (c Config) staleFor() (time.Duration, error) {
	d, err := time.ParseDuration(c.Phones.StaleFor)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("phones.stale_for: want a time like 24h, or 0, got %q", c.Phones.StaleFor)
	}
	return d, nil
}

// tokenLives are auth.api_token_life and auth.user_token_life.
func (c Config) tokenLives() (byKey, byPassword time.Duration, err error) {
	if byKey, err = tokenLife("auth.api_token_life", c.Auth.APITokenLife); err != nil {
		return 0, 0, err
	}
	byPassword, err = tokenLife("auth.user_token_life", c.Auth.UserTokenLife)
	return byKey, byPassword, err
}

func tokenLife(key, text string) (time.Duration, error) {
	life, err := time.ParseDuration(text)
	if err != nil || life < api.MinTokenLife || life > api.MaxTokenLife {
		return 0, fmt.Errorf("%s: want a time from 1m to 720h, got %q", key, text)
	}
	return life, nil
}

// mails is the queue of mail.url, nil when there is none.
func (c Config) mails(log *slog.Logger) (*mail.Queue, error) {
	if c.Mail.URL == "" {
		return nil, nil //nolint:nilnil // mail is off
	}
	queue, err := mail.New(c.Mail.URL, c.Mail.From, log)
	if err != nil {
		return nil, fmt.Errorf("mail.%w", err)
	}
	if len(c.portals()) == 0 {
		return nil, errors.New("mail.portals: needed by mail.url: the hosts that links in mails may lead to")
	}
	return queue, nil
}

// portals is the hosts of mail.portals.
func (c Config) portals() []string {
	return strings.FieldsFunc(c.Mail.Portals, func(r rune) bool { return r == ',' || r == ' ' })
}

// between reads a whole number within its limits.
func between(key, text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s: want a number from %d to %d, got %q", key, least, most, text)
	}
	return n, nil
}

func (c Config) auditRetention() (time.Duration, error) {
	d, err := time.ParseDuration(c.Audit.Retention)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("audit.retention: want a duration like 17520h, or 0, got %q", c.Audit.Retention)
	}
	return d, nil
}

// retention is how long the server keeps what happened.
func (c Config) retention() sqlstore.Retention {
	audit, _ := c.auditRetention() // checked by loadConfig
	return sqlstore.Retention{History: keepHistory, Audit: audit}
}

func (c Config) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return 0, fmt.Errorf("log.level: want debug, info, warn or error, got %q", c.Log.Level)
	}
	return level, nil
}

// linesPerSecond is how often the log says the same thing, 0 = as often as it happens.
func (c Config) linesPerSecond() (int, error) {
	return between("log.per_second", c.Log.PerSecond, 0, 1_000_000)
}

// logger writes to w as the log settings say.
func (c Config) logger(w io.Writer) *slog.Logger {
	handler := c.logHandler(w)
	if most, _ := c.linesPerSecond(); most > 0 { // checked by loadConfig
		handler = logsample.New(handler, most)
	}
	return slog.New(handler)
}

func (c Config) logHandler(w io.Writer) slog.Handler {
	level, _ := c.level() // checked by loadConfig
	f, isFile := w.(*os.File)
	terminal := isFile && isatty.IsTerminal(f.Fd())
	if c.Log.Format == "text" || c.Log.Format == "" && terminal {
		return tint.NewTextHandler(w, &tint.Options{Level: level, NoColor: !terminal || os.Getenv("NO_COLOR") != ""})
	}
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
}

func isSetting(key string) bool { return slices.Contains(settingKeys(), key) }

func settingKeys() []string {
	keys := make([]string, len(settings))
	for i, s := range settings {
		keys[i] = s.key
	}
	return keys
}

// unknownKey is the error for a key that no setting has; it names the nearest
// one there is.
func unknownKey(key string, known []string) error {
	if hint := nearest.Hint(key, known); hint != "" {
		return fmt.Errorf("unknown key %s (%s)", key, hint)
	}
	return fmt.Errorf("unknown key %s", key)
}
