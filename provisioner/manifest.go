package provisioner

// A Manifest is everything Dialtone knows about one brand besides its
// templates: templates/<brand>/manifest.yaml. Adding a brand or a model is
// writing one of these, never Go.
type Manifest struct {
	Brand       string            `yaml:"brand"`       // the folder's name, compared with provision.endpoint_brand
	Label       string            `yaml:"label"`       // as the vendor writes itself
	OUIs        []string          `yaml:"ouis"`        // first six hex digits of its MACs: a hint, never proof
	UserAgents  []string          `yaml:"user_agents"` // regular expressions; groups model, firmware, mac
	Generation  string            `yaml:"generation"`  // regular expression on the firmware version; its first group is phone.generation
	CheckSync   CheckSync         `yaml:"check_sync"`
	AutoAnswer  []string          `yaml:"auto_answer"` // headers of an INVITE that a phone answers by itself: "Call-Info: <sip:{realm}>;answer-after=0"
	PnP         PnP               `yaml:"pnp"`         // of phones that ask for their provisioning URL by SIP
	Certificate CertificateRule   `yaml:"certificate"`
	Files       []FileRule        `yaml:"files"` // in matching order
	Keys        KeyRules          `yaml:"keys"`
	Codecs      []CodecRule       `yaml:"codecs"`       // every audio codec the brand can switch
	VideoCodecs []CodecRule       `yaml:"video_codecs"` // the same for video
	Languages   map[string]string `yaml:"languages"`    // "de", "fr-ca" -> the vendor's word; longest match wins
	Transports  map[string]string `yaml:"transports"`   // "udp", "tcp", "tls", "auto" -> the vendor's word
	Offsets     OffsetRange       `yaml:"offsets"`      // of time zones, that phones take
	Defaults    map[string]any    `yaml:"defaults"`     // a device document laid under account, owner and device
	Model       Capabilities      `yaml:"model"`        // of a model that is not listed
	Families    map[string]Family `yaml:"families"`
	Phone       PhoneScript       `yaml:"phone"` // how `dialtone phone` plays this brand
	Parameters  ParameterRules    `yaml:"parameters"`
}

// ParameterRules say where in rendered files the brand's parameters are, so
// that lint can look them up in the dictionary, parameters.tsv.
type ParameterRules struct {
	Style        string   `yaml:"style"`         // one of the Style constants, "" = there is nothing to look up
	Index        string   `yaml:"index"`         // XML attribute that tells elements of one name apart: its value follows the name, "user.1"
	IndexElement string   `yaml:"index_element"` // the same of the first element within them: <user><ID>A1</ID> is "user.A1"
	Ignore       []string `yaml:"ignore"`        // names that are structure, not parameters
	Clear        []string `yaml:"clear"`         // values that are right for any parameter: they clear it
}

// Where a file has its parameters.
const (
	StyleKeys       = "keys"       // key = value lines
	StyleAttributes = "attributes" // XML attributes, whatever their elements
	StyleElements   = "elements"   // XML elements that hold no others
	StylePaths      = "paths"      // likewise, under their path below the root: "sip.line.user"
)

// CheckSync holds the Event header values that make a phone fetch again.
type CheckSync struct {
	Resync string `yaml:"resync"` // fetch, reboot only if needed
	Reboot string `yaml:"reboot"` // fetch by rebooting
}

// PnP is how a phone that asks by SIP SUBSCRIBE (ua-profile) is told where its
// files are.
type PnP struct {
	Vendors     []string `yaml:"vendors"`      // what it calls its vendor then, in any case
	Body        string   `yaml:"body"`         // "{url}": {url} is where the account's phones fetch files, {mac} and {MAC} the phone's; "" = phones of the brand do not ask
	ContentType string   `yaml:"content_type"` // "" = application/url
}

// A CertificateRule says which phone a certificate of the brand is for.
type CertificateRule struct {
	MAC string `yaml:"mac"` // regular expression on the subject's CN, its first group is the MAC; "" = phones have no certificates
}

// A FileRule describes one file a phone asks for.
type FileRule struct {
	Role        string `yaml:"role"`     // unique in the manifest: "boot", "common", "settings"
	Path        string `yaml:"path"`     // "{mac}.cfg": {mac} is the device's, {MAC} the same in upper case, any other {name} a model attribute
	Template    string `yaml:"template"` // file name, looked up by provision.id, model, family, brand
	Format      string `yaml:"format"`   // how values are escaped and output is checked: "xml" or "ini"
	ContentType string `yaml:"content_type"`
	Settings    bool   `yaml:"settings"` // carries the device's settings: counts for its provision state

	// What a phone without credentials gets instead while it may come so: a
	// template that says where to fetch, and as whom. "" = nothing.
	Bootstrap string `yaml:"bootstrap"`

	Phonebook bool `yaml:"phonebook"` // has the account's users in it: phonebook.entries

	// A phone may store the file itself. What it stored is served back to it as
	// it is, and wins over the template; a rule without a template has nothing
	// before.
	Upload   *UploadRule `yaml:"upload"`
	Override bool        `yaml:"override"` // what the phone stored there beats the settings that it is given

	Header     string   `yaml:"header"`     // what the first line must be, "" = anything
	Directives []string `yaml:"directives"` // first words of lines in an ini file that are no "key = value"
	Repeatable []string `yaml:"repeatable"` // keys in an ini file that may be there more than once
}

// An UploadRule bounds a file that a phone stores.
type UploadRule struct {
	MaxBytes int64 `yaml:"max_bytes"`
}

// KeyRules place Kazoo's combo and feature keys on the phone's line keys.
type KeyRules struct {
	Combo   KeyRule `yaml:"combo"`
	Feature KeyRule `yaml:"feature"`
}

// A KeyRule puts key number n of a container on line key First+n.
type KeyRule struct {
	First int               `yaml:"first"`
	Codes map[string]string `yaml:"codes"` // Kazoo key type -> the vendor's type code
}

// A CodecRule maps a codec of the API to the vendor's name for it. The names
// are those of media.audio.codecs or media.video.codecs.
type CodecRule struct {
	Names []string `yaml:"names"` // ["PCMU"], ["G7221@32000h", "G722_32"]; none = only switched off
	Code  string   `yaml:"code"`
}

// An OffsetRange is of seconds east of UTC in standard time. The zero one is
// every offset.
type OffsetRange struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// nearest is the offset in the range that is nearest to another one.
func (r OffsetRange) nearest(offset int) int {
	if r == (OffsetRange{}) {
		return offset
	}
	return min(max(offset, r.Min), r.Max)
}

// A Family groups models that share a firmware, hence a parameter set.
type Family struct {
	Label  string               `yaml:"label"`
	Model  Capabilities         `yaml:"model"` // of every model of the family, unless it says otherwise
	Models map[string]ModelRule `yaml:"models"`
}

// A ModelRule is one model: its name is the folder and provision.endpoint_model.
type ModelRule struct {
	Aliases      []string `yaml:"aliases"` // other spellings of endpoint_model
	Capabilities `yaml:",inline"`
}

// Capabilities are what a template needs to know about a model. A zero member
// is taken from the family, then from the brand.
type Capabilities struct {
	Label      string            `yaml:"label"`      // as the phone spells its model: "T46U", "VVX_450"
	Lines      int               `yaml:"lines"`      // SIP accounts
	LineKeys   int               `yaml:"line_keys"`  // programmable keys beside the screen
	Attributes map[string]string `yaml:"attributes"` // the brand's own: used in paths and as model.<name>

	ExpansionModules int `yaml:"expansion_modules"` // that may be attached
	ExpansionKeys    int `yaml:"expansion_keys"`    // of one module

	PhonebookEntries int `yaml:"phonebook_entries"` // that there is room for, 0 = as many as there may be
}

// Keys is how many keys the model has with all modules attached.
func (c Capabilities) Keys() int { return c.LineKeys + c.ExpansionModules*c.ExpansionKeys }

// A PhoneScript lets `dialtone phone` behave as the brand's firmware does.
// In its strings {mac}, {MAC}, {mac_colons}, {label}, {firmware} and model attributes
// are filled in; a file named by an attribute that the model lacks is left out.
type PhoneScript struct {
	Firmware     string            `yaml:"firmware"`
	UserAgent    string            `yaml:"user_agent"`     // of HTTP requests
	SIPUserAgent string            `yaml:"sip_user_agent"` // of SIP messages
	Boot         []BootStep        `yaml:"boot"`
	Precedence   string            `yaml:"precedence"` // which of two values for one parameter counts: "first" or "last"
	Settings     PhoneSettings     `yaml:"settings"`
	Transports   map[string]string `yaml:"transports"` // the vendor's word -> "udp", "tcp" or "tls"
}

// A BootStep is one step of a boot. Exactly one of Index, Config, Get, Head and
// Put is set. A 404 is normal everywhere and ends nothing.
type BootStep struct {
	Index     []string `yaml:"index"`     // tried in turn; the first that exists lists the configuration files
	Lists     string   `yaml:"lists"`     // how it does: the ini directive or XML attribute that names them
	Otherwise []string `yaml:"otherwise"` // the configuration files when no index exists
	Config    []string `yaml:"config"`    // configuration files, all of them in turn
	Get       []string `yaml:"get"`       // other files, tried in turn until one exists
	Head      string   `yaml:"head"`
	Put       string   `yaml:"put"`        // an upload, small and harmless
	UserAgent string   `yaml:"user_agent"` // of this step, when it differs
}

// PhoneSettings names the configuration parameters from which a phone learns
// its SIP line; of several, with blanks between them, the first that has a
// value. Where in XML files they are, ParameterRules say.
type PhoneSettings struct {
	Format      string `yaml:"format"` // of configuration files: "xml" or "ini"
	Enabled     string `yaml:"enabled"`
	Username    string `yaml:"username"`
	AuthUser    string `yaml:"auth_user"`
	Password    string `yaml:"password"`
	Secrets     string `yaml:"secrets"` // what else is secret, where names do not tell
	DisplayName string `yaml:"display_name"`
	Domain      string `yaml:"domain"` // SIP domain: host part of the AOR
	Port        string `yaml:"port"`   // of the domain's server
	Proxy       string `yaml:"proxy"`  // outbound proxy, when set requests go there: the first of a list, perhaps with ";transport=tcp"
	ProxyPort   string `yaml:"proxy_port"`
	Transport   string `yaml:"transport"`
	Expires     string `yaml:"expires"`      // seconds
	ExpiresUnit int    `yaml:"expires_unit"` // seconds that expires counts in, 0 = 1
}
