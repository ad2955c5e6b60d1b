// Package persons tests that the record shows one human being as one person: five sources, five Patients, one record
// (docs/requirements/identity.md). The tests run over HTTP on all engines.
package persons
