package lint

import (
	"path/filepath"
	"slices"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// System is the unit of everything that is read at boot of a system whose top is
// root, such as an image's. The targets say by which loader.
func System(root string, loaders ...conf.Loader) Work {
	return func() Unit {
		u := Unit{Boot: map[conf.Loader]Boot{}}
		for _, loader := range loaders {
			u.read(conf.System{Root: root, Loader: loader, Keys: conf.KeysOf(sysctl.Names())})
		}
		return u
	}
}

// read adds what one loader makes of the files.
func (u *Unit) read(system conf.System) {
	r := system.Resolve()
	r.Files = slices.DeleteFunc(r.Files, func(f conf.File) bool { return f.Status == conf.NeverRead && !system.Sets(f) })
	// The catalogue has all parameters of TCP; what other patterns match depends
	// on the interfaces and modules of a host.
	r.Unmatched = slices.DeleteFunc(r.Unmatched, func(l conf.Line) bool { return !strings.HasPrefix(string(l.Key), "net.ipv4.tcp_") })
	state, lines := facts.BootFrom(r, conf.InUse{Loader: system.Loader})
	below := func(file *string) { *file = filepath.Join(system.Root, *file) }
	for i := range lines {
		below(&lines[i].File)
		if lines[i].LosesTo != nil {
			below(&lines[i].LosesTo.File)
		}
	}
	for i := range state.Ignored {
		below(&state.Ignored[i].Path)
	}
	u.Boot[system.Loader] = Boot{lines, state.Ignored}
	for _, f := range r.Files {
		name := filepath.Join(system.Root, f.Path)
		if f.Status != conf.Read || slices.ContainsFunc(u.Files, func(known File) bool { return known.Name == name }) {
			continue
		}
		if real, err := securejoin.SecureJoin(system.Root, f.Path); err == nil {
			file := read(real, false)
			file.Name, file.path = name, real
			u.Files = append(u.Files, file)
		}
	}
}
