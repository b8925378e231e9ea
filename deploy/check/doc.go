// Package check holds what is deployed against the types and tools that will
// read it: Kubernetes' and the operator's API types, kustomize, Helm, Compose's
// own loader, systemd's. It is a module of its own, since the product needs none of
// them.
package check
