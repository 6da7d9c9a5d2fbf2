package provisioner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"dialtone/models"
)

// DefaultCacheBytes bounds the rendered files that are kept when nothing else is
// said: those of some ten thousand phones.
const DefaultCacheBytes = 64 << 20

// cacheKey is the hash of everything a file is made of.
type cacheKey [sha256.Size]byte

// A slot is one file of one phone, or one that phones of an account share. What
// is rendered for it takes the place of what was there before.
type slot struct {
	account string
	device  string // "": a common file
	brand   string
	name    string
	variant string // of a common file: what it depends on beside the account
}

func deviceSlot(phone *models.Phone, name string) slot {
	return slot{account: phone.Account.ID, device: phone.Device.ID, brand: phone.Device.Provision.Brand, name: name}
}

func (c *Catalog) commonSlot(account *models.Account, firmware string, file brandFile, asking modelKey) slot {
	b := c.brands[file.brand]
	variant := c.firmwareKey(b, firmware)
	if file.rule.Phonebook {
		variant += " " + strconv.Itoa(b.room(file, asking))
	}
	return slot{account: account.ID, brand: file.brand, name: file.path, variant: variant}
}

// A rendering is what a slot holds: a file whose body is packed. Configuration
// files shrink to a quarter or less, and are unpacked in some ten microseconds.
type rendering struct {
	key    cacheKey
	file   File // without its body
	packed []byte
	at     time.Time // when this was last known to be what it should be, to within confirmEvery
}

func pack(key cacheKey, file File, at time.Time) rendering {
	space := spaces.Get().(*[]byte)
	defer spaces.Put(space)
	packed := s2.EncodeBetter(*space, file.Body)
	*space = packed[:0]
	file.Body = nil
	return rendering{key, file, bytes.Clone(packed), at}
}

func (r rendering) unpack() (File, error) {
	body, err := s2.Decode(nil, r.packed)
	if err != nil {
		return File{}, fmt.Errorf("kept file: %w", err)
	}
	file := r.file
	file.Body = body
	return file, nil
}

const confirmEvery = time.Minute

// A fileCache keeps the last rendering of each slot, up to a number of bytes.
type fileCache struct {
	kept  *otter.Cache[slot, rendering]
	going singleflight.Group // renderings under way, by their keys
}

func newFileCache(bytes int64) *fileCache {
	return &fileCache{kept: otter.Must(&otter.Options[slot, rendering]{
		MaximumWeight: uint64(bytes),                                                           //nolint:gosec // not negative
		Weigher:       func(_ slot, r rendering) uint32 { return uint32(len(r.packed)) + 512 }, //nolint:gosec // bodies are bounded by maxFileBytes
		Logger:        &otter.NoopLogger{},
	})}
}

// CachedBytes is how much memory the rendered files take that are kept.
func (s *Service) CachedBytes() uint64 { return s.cache.kept.WeightedSize() }

// confirm notes that a rendering is right at this time, unless another took its
// place.
func (c *fileCache) confirm(in slot, key cacheKey, now time.Time) {
	c.kept.ComputeIfPresent(in, func(r rendering) (rendering, otter.ComputeOp) {
		if r.key != key {
			return r, otter.CancelOp
		}
		r.at = now
		return r, otter.WriteOp
	})
}

// loadTimeout bounds what a rendering that others may wait for reads.
const loadTimeout = 10 * time.Second

// cached renders unless the same was rendered last. Errors are not kept: the
// slot stays as it is. Who asks for the same meanwhile waits for it, so it goes
// on when the first one has hung up.
func (s *Service) cached(ctx context.Context, in slot, k *cacheKeyBuilder, render func(context.Context) (File, error)) (File, error) {
	if s.cache == nil {
		return render(ctx)
	}
	key := k.sum()
	if r, ok := s.cache.kept.GetIfPresent(in); ok && r.key == key {
		if now := s.opts.Now(); now.Sub(r.at).Abs() > confirmEvery {
			s.cache.confirm(in, key, now)
		}
		return r.unpack()
	}
	done := s.cache.going.DoChan(string(key[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		file, err := unpanicked(ctx, render)
		if err == nil {
			s.cache.kept.Set(in, pack(key, file, s.opts.Now()))
		}
		return file, err
	})
	select {
	case result := <-done:
		file, _ := result.Val.(File)
		return file, result.Err
	case <-ctx.Done():
		return File{}, ctx.Err()
	}
}

// unpanicked makes an error of a panic, which would end the program: nobody
// above could recover from it.
func unpanicked(ctx context.Context, render func(context.Context) (File, error)) (file File, err error) {
	defer func() {
		if p := recover(); p != nil {
			file, err = File{}, fmt.Errorf("panic while rendering: %v", p)
		}
	}()
	return render(ctx)
}

// A Kept file is one that was rendered before.
type Kept struct {
	File
	At time.Time // when it was last known to be what the phone should have
}

// LastFile is what RequestedFile gave last for a phone, for when that fails. It
// reads nothing but memory.
func (s *Service) LastFile(phone *models.Phone, req Request) (Kept, bool) {
	file, ok := req.fileFor(phone)
	if !ok {
		return Kept{}, false
	}
	if !req.HasMAC {
		return s.kept(req.catalog.commonSlot(phone.Account, phone.Firmware, file, modelOf(phone)))
	}
	return s.kept(deviceSlot(phone, fillMAC(file.path, req.MAC)))
}

// LastCommonFile is that for RequestedCommonFile.
func (s *Service) LastCommonFile(account *models.Account, agent UserAgent, req Request) (Kept, bool) {
	file, asking, ok := req.commonFor(agent)
	if !ok {
		return Kept{}, false
	}
	return s.kept(req.catalog.commonSlot(account, agent.Firmware, file, asking))
}

func (s *Service) kept(in slot) (Kept, bool) {
	if s.cache == nil {
		return Kept{}, false
	}
	r, ok := s.cache.kept.GetIfPresent(in)
	if !ok {
		return Kept{}, false
	}
	file, err := r.unpack()
	return Kept{file, r.at}, err == nil
}
