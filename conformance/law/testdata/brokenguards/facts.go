package facts

import "carerecord/conformance/law/brokenguard"

func broken(name string) bool { return brokenguard.On(name) }
