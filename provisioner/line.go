package provisioner

import (
	"cmp"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dialtone/models"
)

// A line is one SIP account of the phone.
type line struct {
	Number      int    // from 1
	DeviceID    string // the device that registers on it
	Enabled     bool
	Username    string
	Password    models.Secret // "" while the line is disabled
	Realm       string        // the SIP domain
	DisplayName string        // as callees see it
	Label       string        // beside the line key
	PresenceID  string        // what others monitor it by, without realm
	Servers     []sipServer   // where requests are sent, the preferred one first; never empty
	Transport   string        // "udp", "tcp", "tls" or "auto"
	Expires     int           // seconds
	SRTP        string        // "off", "optional" or "required"
	document    models.Document
}

// A sipServer is a registrar or outbound proxy.
type sipServer struct {
	Host string
	Port int // 0: found by DNS
}

// String is the server as a SIP URI has it: an IPv6 address in brackets, the
// port if there is one.
func (s sipServer) String() string {
	host := s.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if s.Port == 0 {
		return host
	}
	return host + ":" + strconv.Itoa(s.Port)
}

// Registrations that phones take: they ignore any other number.
const (
	minExpires = 10
	maxExpires = math.MaxInt32
)

// maxServers is how many of a list of proxies count.
const maxServers = 4

// deriveLine is the line that a device makes, from its own layers.
func (b *brand) deriveLine(number int, phone *models.Phone, doc models.Document, users []*models.User, registrar string) line {
	l := line{
		Number:      number,
		DeviceID:    phone.Device.ID,
		Enabled:     phone.Enabled(),
		Username:    phone.Device.SIP.Username,
		Password:    phone.Device.SIP.Password,
		Realm:       phone.Realm(),
		DisplayName: displayName(phone),
		PresenceID:  presenceID(phone, users),
		Transport:   b.transport(doc.Text("sip.transport")),
		Expires:     300,
		SRTP:        srtpMode(doc),
		document:    doc,
	}
	if expires, _ := doc.Int("sip.expire_seconds"); expires > 0 {
		l.Expires = min(max(expires, minExpires), maxExpires)
	}
	if !l.Enabled {
		l.Password = ""
	}
	l.Label = l.DisplayName
	if phone.Owner != nil && phone.Owner.Label() != "" {
		l.Label = phone.Owner.Label()
	}
	l.Servers = sipServers(doc.Text("sip.proxy"), registrar, l.Realm, defaultPort(l.Transport))
	return l
}

// sameServers reports whether two lines register in the same place and way.
func (l line) sameServers(other line) bool {
	return l.Realm == other.Realm && l.Transport == other.Transport && l.Expires == other.Expires && slices.Equal(l.Servers, other.Servers)
}

// sipServers are the proxies of a comma-separated list, else the registrar,
// else the realm's own server.
func sipServers(proxies, registrar, realm string, port int) []sipServer {
	for _, list := range []string{proxies, registrar} {
		if servers := parseServers(list, port); len(servers) > 0 {
			return servers
		}
	}
	return []sipServer{{realm, port}}
}

// parseServers reads a comma-separated list, without the items that name no
// host.
func parseServers(list string, port int) []sipServer {
	var servers []sipServer
	for item := range strings.SplitSeq(list, ",") {
		if server, ok := parseServer(strings.TrimSpace(item), port); ok && len(servers) < maxServers {
			servers = append(servers, server)
		}
	}
	return servers
}

// serverForm is host, host:port or [v6]:port, perhaps as a SIP URI: with
// its scheme, in angle brackets, with parameters. Digits alone are no host, so
// sip:5060 is a host called sip. The schema of sip.proxy has the same form.
var serverForm = regexp.MustCompile(`(?i)^<?(?:sips?:)?(\[[0-9a-f:.]+\]|(?:[a-z_]|[0-9]+[a-z_.-])[a-z0-9_.-]*)(?::([0-9]+))?(?:[;?][^<>]*)?>?(?:[;?][^<>]*)?$`)

// parseServer reads one server; the port is that of the item, if it has one.
func parseServer(item string, port int) (sipServer, bool) {
	if addr, err := netip.ParseAddr(item); err == nil {
		return sipServer{addr.String(), port}, true // also an IPv6 address without brackets
	}
	part := serverForm.FindStringSubmatch(item)
	if part == nil {
		return sipServer{}, false
	}
	own, err := strconv.ParseUint(cmp.Or(part[2], "0"), 10, 16)
	return sipServer{strings.Trim(part[1], "[]"), cmp.Or(int(own), port)}, err == nil
}

// presenceID is what others monitor the device by: its owner's presence id,
// that of the first user logged in to it when it has no owner, its own, or its
// SIP username.
func presenceID(phone *models.Phone, users []*models.User) string {
	id := ""
	if phone.Owner != nil {
		id = phone.Owner.PresenceID
	} else {
		id = hotdeskPresence(phone, users)
	}
	id, _, _ = strings.Cut(cmp.Or(id, phone.Device.PresenceID, phone.Device.SIP.Username), "@")
	return id
}

func hotdeskPresence(phone *models.Phone, users []*models.User) string {
	for _, id := range hotdeskUsers(phone) {
		i := slices.IndexFunc(users, func(u *models.User) bool { return u.ID == id })
		if i >= 0 && users[i].PresenceID != "" {
			return users[i].PresenceID
		}
	}
	return ""
}

// hotdeskUsers are the ids of the users logged in to a device, sorted.
func hotdeskUsers(phone *models.Phone) []string {
	v, _ := phone.Device.Document.Lookup("hotdesk.users")
	users, _ := v.(map[string]any)
	return slices.DeleteFunc(sortedKeys(users), func(id string) bool { return !models.ValidID(id) })
}

// callerID is a member of the caller id of internal calls, or of external ones.
func (l line) callerID(member string) string {
	return cmp.Or(l.document.Text("caller_id.internal."+member), l.document.Text("caller_id.external."+member))
}

// musicOnHold is passed on when the phone could play it: a SIP URI. Other music
// the switch plays.
func (l line) musicOnHold() string {
	if uri := l.document.Text("music_on_hold.media_id"); strings.HasPrefix(uri, "sip:") {
		return uri
	}
	return ""
}

// transport is one that the brand has a word for, UDP when it has none.
func (b *brand) transport(name string) string {
	name = strings.ToLower(name)
	if _, ok := b.Transports[name]; ok {
		return name
	}
	return "udp"
}

// displayName is the first of: the device's name, the owner's first and last
// name, the account's name.
func displayName(phone *models.Phone) string {
	owner := ""
	if phone.Owner != nil {
		owner = strings.TrimSpace(phone.Owner.FirstName + " " + phone.Owner.LastName)
	}
	return cmp.Or(phone.Device.Name, owner, phone.Account.Name)
}

func srtpMode(doc models.Document) string {
	switch {
	case !slices.Contains(doc.Texts("media.encryption.methods"), "srtp"):
		return "off"
	case doc.Flag("media.encryption.enforce_security", false):
		return "required"
	}
	return "optional"
}

// defaultPort of a transport (RFC 3261, section 19.1.2); 0 for "auto", where
// DNS tells transport and port.
func defaultPort(transport string) int {
	switch transport {
	case "auto":
		return 0
	case "tls":
		return 5061
	}
	return 5060
}
