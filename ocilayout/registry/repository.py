"""A repository of a registry, with the reading verbs of a layout and what a copy writes.

What a tag resolves to is what its bytes hash to, or what the registry says they do; whatever
is read by a descriptor is verified against it. Not in here: the catalog of a registry, which is
no part of the distribution-spec.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ocilayout.errors import DocumentError, InvalidNameError, ReferenceNotFoundError
from ocilayout.model import (
    DEFAULT_LIMITS,
    DOCKER_HUB,
    DOCUMENT_TYPES,
    Descriptor,
    Digest,
    Limits,
    Reference,
    decode_document,
    document_type,
    encode,
    is_digest,
    require_tag,
)
from ocilayout.registry.address import is_loopback, origin
from ocilayout.registry.auth import Authenticator
from ocilayout.registry.blobs import RepositoryBlobs
from ocilayout.registry.content import ANY_MANIFEST, described, fetched
from ocilayout.registry.referrer import list_referrers, read_subject, remove_referrer
from ocilayout.registry.session import METHOD_NOT_ALLOWED, NOT_FOUND, OK, Session
from ocilayout.registry.tags import list_tags
from ocilayout.registry.transport import Transport
from ocilayout.registry.trust import Trust

if TYPE_CHECKING:
    import os
    from typing import Self

    from ocilayout.model import Document
    from ocilayout.registry.credential import Credentials, Finder
    from ocilayout.registry.patience import Retry, Timeouts
    from ocilayout.registry.proxy import Proxies
    from ocilayout.registry.trust import File

_DOCKER_HUB_API: Final = "registry-1.docker.io"


class Repository:
    """A repository of a registry; safe to use from several threads.

    Attributes:
        name: Host and path, such as `ghcr.io/org/skill`.
        blobs: Its content by digests.
    """

    def __init__(  # noqa: PLR0913 # each is an option by its name
        self,
        name: str,
        *,
        plain_http: bool | None = None,
        credentials: Credentials | Finder | None = None,
        ca_certs: str | os.PathLike[str] | None = None,
        client_cert: File | tuple[File, File] | None = None,
        certs: str | os.PathLike[str] | None = None,
        proxies: Proxies | None = None,
        timeout: float | Timeouts = 30.0,
        retry: Retry | None = None,
        limits: Limits = DEFAULT_LIMITS,
        chunk_size: int | None = None,
    ) -> None:
        """Name a repository; nothing is sent yet.

        Args:
            name: `host/path`, without tag and digest.
            plain_http: Whether to do without TLS; if `None`, for loopback hosts only.
            credentials: Who to be; what finds it out once the registry asks, such as
                `find_credentials`; or `None` for nobody. Without TLS they go unencrypted.
            ca_certs: A PEM file of the authorities to trust; those of the system if `None`.
            client_cert: A PEM file with a certificate of ours and its key, or two such files.
            certs: A folder of certificates as Docker keeps one for each registry, which
                `find_certs` finds: `*.crt` are trusted besides the others, and `*.cert` with
                `*.key` is ours.
            proxies: Which proxies to use; those of the environment if `None`.
            timeout: The longest waits, in seconds; a number stands for each of them.
            retry: When requests are sent again; four times at most by default.
            limits: How much is accepted.
            chunk_size: How large the chunks are that blobs are sent in, in bytes; `None` for
                blobs in one piece.

        Raises:
            InvalidNameError: The name is outside the grammar, or has a tag or a digest; or a
                proxy has no address.
            OSError: A file of certificates cannot be read or holds none.
            ValueError: A timeout or the size of chunks is not above 0.
        """
        self._reference = _parse_name(name)
        self.name = str(self._reference)
        host = self._reference.host
        if plain_http is None:
            plain_http = is_loopback(re.sub(r":[0-9]+$", "", host))
        if host == DOCKER_HUB:
            host = _DOCKER_HUB_API
        registry = f"{'http' if plain_http else 'https'}://{host}"
        _require_address(registry)
        transport = Transport(
            registry=registry,
            trust=Trust(ca_certs=ca_certs, client_cert=client_cert, folder=certs),
            timeout=timeout,
            retry=retry,
            proxies=proxies,
        )
        repository = self._reference.repository
        authenticator = Authenticator(
            transport,
            registry=registry,
            repository=repository,
            name=self.name,
            credentials=credentials,
        )
        self._session = Session(
            transport, authenticator, registry=registry, repository=repository, limits=limits
        )
        self.blobs = RepositoryBlobs(self._session, chunk_size=chunk_size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Repository({self.name!r})"

    def close(self) -> None:
        """Close the connections that are not in use; a stream that is open stays so."""
        self._session.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the registry has warned of so far, each text once; for people to read.

        Spec: distribution:warnings.
        """
        return self._session.warnings

    def ping(self) -> None:
        """Find out whether there is a registry of this API, and whether it lets us in.

        Raises:
            AuthError: It does not accept who we are.
            RegistryError: There is none, or it failed.

        Spec: distribution:version.
        """
        with self._session.request("GET", f"{self._session.registry}/v2/", accept={OK}) as answer:
            answer.drain()

    def tags(self) -> tuple[str, ...]:
        """Return all tags, sorted bytewise.

        Raises:
            LimitExceededError: There are too many.
            RegistryError: The registry refused or failed, has no such repository, or its list
                cannot be read or does not end.

        Spec: distribution:tags.
        """
        return tuple(sorted(list_tags(self._session), key=str.encode))

    def resolve(self, name_or_digest: Digest | str) -> Descriptor:
        """Return the plain descriptor of what a tag or a digest names.

        The registry's word is taken for the digest behind a tag where it gives one; what is
        read by that digest later is verified.

        Args:
            name_or_digest: A tag, or the digest of a manifest or an index.

        Raises:
            InvalidNameError: The name is neither.
            ReferenceNotFoundError: The registry has no such manifest.
            DigestMismatchError: The registry answers with something else.
            LimitExceededError: The manifest is too large.
            RegistryError: The registry refused or failed, or answers with no manifest.

        Spec: distribution:head, distribution:reference, distribution:docker-headers,
            distribution:older-registries.
        """
        name, wanted = _parse_manifest_name(name_or_digest)
        path = f"manifests/{name}"
        headers = {"Accept": ANY_MANIFEST}
        accept = {OK, NOT_FOUND, METHOD_NOT_ALLOWED}
        with self._session.request("HEAD", path, accept=accept, headers=headers) as answer:
            answer.drain()
            if answer.status == NOT_FOUND:
                raise self._missing(name)
            descriptor = described(answer, wanted) if answer.status == OK else None
        return self.fetch(name)[1] if descriptor is None else descriptor

    def fetch(self, name_or_digest: Digest | str) -> tuple[bytes, Descriptor]:
        """Return what a tag or a digest names, and what that is, in one round trip.

        Args:
            name_or_digest: A tag, or the digest of a manifest or an index.

        Returns:
            Its bytes, and the plain descriptor that they were verified against.

        Raises:
            InvalidNameError: The name is neither.
            ReferenceNotFoundError: The registry has no such manifest.
            DigestMismatchError: The registry answers with something else.
            LimitExceededError: The manifest is too large.
            RegistryError: The registry refused or failed, or answers with no manifest.
            UnsupportedDigestError: Its digest's algorithm cannot be computed here.

        Spec: distribution:reference, distribution:verify-manifest.
        """
        name, wanted = _parse_manifest_name(name_or_digest)
        with self._session.request(
            "GET",
            f"manifests/{name}",
            accept={OK, NOT_FOUND},
            headers={"Accept": ANY_MANIFEST},
        ) as answer:
            if answer.status == NOT_FOUND:
                answer.drain()
                raise self._missing(name)
            return fetched(answer, wanted)

    def referrers(
        self, digest: Digest | str, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """Return what refers to content as its subject: signatures, bills of materials and such.

        A registry without the referrers API is asked for the list under the tag of the
        distribution-spec's fallback, `sha256-<hex>`.

        Args:
            digest: The content; it need not be in the repository.
            artifact_type: Return only referrers of this type.

        Returns:
            Descriptors with the artifact type and the annotations that the registry says each
            manifest has, each digest once, in the registry's order.

        Raises:
            DocumentError: The digest is none.
            LimitExceededError: There are too many.
            RegistryError: The registry refused or failed, or its list cannot be read or does not
                end.

        Spec: distribution:referrers.
        """
        return list_referrers(self._session, Digest.parse(digest), artifact_type)

    def read_manifest(self, descriptor: Descriptor) -> Document:
        """Return a manifest or an index, verified.

        Raises:
            BlobNotFoundError: It is not there.
            IntegrityError: It is not what the descriptor says.
            DocumentError: It breaks the specification, or the descriptor is of something else.
            LimitExceededError: It is too large.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.
            RegistryError: The registry refused or failed.

        Spec: distribution:verify-manifest, considerations:property-types.
        """
        _require_document(descriptor)
        return decode_document(self.blobs.read(descriptor), descriptor)

    def put_manifest(
        self,
        document: Document | bytes,
        *,
        media_type: str | None = None,
        algorithm: str = "sha256",
    ) -> Descriptor:
        """Send a manifest or an index, under its digest.

        Args:
            document: The model, or bytes that are sent as they are.
            media_type: Its media type; if `None`, what the document says, or what its
                properties show.
            algorithm: The algorithm of its digest. Registries need to know none but sha256.

        Returns:
            A plain descriptor of it.

        Raises:
            DocumentError: It breaks the specification or is of another type.
            LimitExceededError: It is too large.
            UnsupportedDigestError: The algorithm cannot be computed here.
            IntegrityError: The registry says that it stored something else.
            RegistryError: The registry refused or failed; what the manifest refers to may be
                missing there.

        Spec: distribution:reference.
        """
        data = document if isinstance(document, bytes) else encode(document)
        descriptor = Descriptor.of(data, media_type or document_type(data), algorithm)
        self.blobs.send_manifest(data, descriptor, name=str(descriptor.digest))
        return descriptor

    def tag(self, name: str, target: Descriptor | Digest | str) -> None:
        """Let a tag name a manifest that is in the repository.

        Args:
            name: The tag; moved if there is one.
            target: The manifest or index: a descriptor, a digest, or a digest as text.

        Raises:
            InvalidNameError: The name is no tag, or the target is text and no digest.
            NotFoundError: The target is not in the repository.
            DocumentError: The target is no manifest and no index.
            IntegrityError: The registry holds something else under the target's digest, or says
                that it tagged something else.
            RegistryError: The registry refused or failed, or does not tag digests of this
                algorithm; then nothing is tagged.

        Spec: distribution:tag, distribution:digest-and-tag.
        """
        require_tag(name)
        if isinstance(target, str) and not is_digest(target):
            raise InvalidNameError(
                f"{target!r} is no digest; resolve a tag first, and give what it names"
            )
        if not isinstance(target, Descriptor):
            target = self.resolve(str(target))
        _require_document(target)
        self.blobs.send_manifest(self.blobs.read(target), target, name=name)

    def untag(self, name: str) -> None:
        """Take a tag away; what it names stays.

        Raises:
            InvalidNameError: The name is no tag.
            ReferenceNotFoundError: There is no such tag.
            RegistryError: The registry refused or failed; many do not do it.

        Spec: distribution:delete-done.
        """
        require_tag(name)
        if not self._session.delete(f"manifests/{name}"):
            raise self._missing(name)

    def delete(self, target: Descriptor | Digest | str) -> None:
        """Delete a manifest or an index, with all tags that name it.

        What it refers to stays. If it refers to a subject, in a registry without the referrers
        API, then it is taken off the list of that subject's referrers. Content that cannot be read
        or decoded is deleted all the same; of a retired type, and of a document that breaks the
        specification, a `subject` is known, of anything else none is.

        Args:
            target: The manifest or index: a descriptor, a digest, or a digest as text.

        Raises:
            InvalidNameError: The target is text and no digest; `untag` takes a tag away.
            ReferenceNotFoundError: It is not in the repository.
            RegistryError: The registry refused or failed, many do not delete; or the list of
                referrers could not be brought up to date.

        Spec: distribution:delete, distribution:delete-done.
        """
        digest = target.digest if isinstance(target, Descriptor) else target
        if not is_digest(str(digest)):
            raise InvalidNameError(f"{digest!r} is no digest; untag takes a tag away")
        digest = Digest.parse(digest)
        subject = read_subject(self._session, digest)
        if not self._session.delete(f"manifests/{digest}"):
            raise self._missing(str(digest))
        if subject is not None:
            remove_referrer(self._session, subject, digest)

    def _missing(self, name: str) -> ReferenceNotFoundError:
        return ReferenceNotFoundError(f"{self.name} has no manifest {name}")


def _parse_manifest_name(name: Digest | str) -> tuple[str, Digest | None]:
    """Return a tag, or a digest twice.

    Raises:
        InvalidNameError: It is neither.
    """
    if is_digest(str(name)):
        return str(name), Digest.parse(name)
    require_tag(str(name))
    return str(name), None


def _parse_name(name: str) -> Reference:
    reference = Reference.parse(name)
    if reference.tag is not None or reference.digest is not None:
        raise InvalidNameError(
            f"{name!r} names more than a repository; leave out the tag and the digest and give"
            " them to resolve"
        )
    return reference


def _require_address(url: str) -> None:
    try:
        origin(url)
    except ValueError:
        raise InvalidNameError(
            f"{url} is no address: the port is above 65535 or the IPv6 address is none"
        ) from None


def _require_document(descriptor: Descriptor) -> None:
    if descriptor.media_type not in DOCUMENT_TYPES:
        raise DocumentError.of(
            "not-a-manifest",
            f"{descriptor.digest} is {descriptor.media_type}, no manifest and no index",
        )
