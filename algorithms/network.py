"""QGIS's own settings of the network, for what reaches it in other processes."""

from __future__ import annotations

from qgis.core import QgsApplication, QgsNetworkAccessManager
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkProxy


def read_proxy() -> str:
    """Return the address of the proxy of QGIS's options, with user and password; empty where there is none."""
    manager = QgsNetworkAccessManager.instance()
    manager.setupDefaultProxyAndCache()  # qgis_process does not read these settings by itself
    proxy = manager.fallbackProxy()
    if not proxy.hostName() or proxy.type() == QNetworkProxy.ProxyType.NoProxy:
        return ""
    address = QUrl()
    address.setScheme("socks5" if proxy.type() == QNetworkProxy.ProxyType.Socks5Proxy else "http")
    address.setHost(proxy.hostName())
    address.setPort(proxy.port() or -1)
    address.setUserName(proxy.user())
    address.setPassword(proxy.password())
    return address.toString(QUrl.ComponentFormattingOption.FullyEncoded)


def read_certificates() -> str:
    """Return all authorities that QGIS trusts, in PEM format; empty where the user has added none to the system's."""
    manager = QgsApplication.authManager()
    if manager.isDisabled() or not (manager.extraFileCAs() or manager.databaseCAs()):
        return ""
    return bytes(manager.trustedCaCertsPemText()).decode("ascii")
