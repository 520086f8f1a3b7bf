"""A QGIS with a new profile that installs, upgrades, uses and uninstalls the plugin by QGIS's own installer.

    python installing.py PROFILE FORMER_ZIP ZIP PAN MS OUTPUT

Prints what a user would find after each step as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest.mock import MagicMock

PLUGIN = "otfm_pansharpen"
del sys.path[0]  # this folder, whose qgis.py would hide QGIS
sys.path = [p for p in sys.path if not Path(p, PLUGIN).exists()]  # the checkout, which would hide gaps of the zip

import qgis.core  # noqa: E402
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingFeedback, QgsSettings  # noqa: E402
from qgis.PyQt.QtCore import QSettings  # noqa: E402
from qgis.PyQt.QtWidgets import QMainWindow  # noqa: E402

profile, previous, package, pan, ms, output = sys.argv[1:]
QSettings.setDefaultFormat(QSettings.Format.IniFormat)
QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, profile)
QgsApplication.setOrganizationName("QGIS")
QgsApplication.setApplicationName("QGIS3")
application = QgsApplication([], True, profile)
application.initQgis()

import qgis.utils  # noqa: E402

window = QMainWindow()
qgis.utils.iface = MagicMock()
qgis.utils.iface.mainWindow.return_value = window
home = Path(QgsApplication.qgisSettingsDirPath(), "python", "plugins")
qgis.utils.home_plugin_path = qgis.utils.HOME_PLUGIN_PATH = str(home)  # its name in QGIS 3.22, and later
qgis.utils.plugin_paths = [str(home)]
sys.path[:0] = [str(home), str(Path(QgsApplication.pkgDataPath(), "python"))]

if hasattr(qgis.core, "QgsSettingsTree"):  # from QGIS 3.30; the desktop alone declares the installer's settings
    qgis.core.QgsSettingsTree.node = MagicMock()
    qgis.core.QgsSettingsTree.node.return_value.childSetting.return_value.value.return_value = []

import pyplugin_installer  # noqa: E402

installer = pyplugin_installer.instance()
user_weights = Path(QgsApplication.qgisSettingsDirPath(), PLUGIN, "weights", "own.safetensors")


def state() -> dict[str, object]:
    algorithms = (a.id() for a in QgsApplication.processingRegistry().algorithms())
    QgsSettings().sync()
    return {
        "version": qgis.utils.pluginMetadata(PLUGIN, "version"),
        "active": PLUGIN in qgis.utils.active_plugins,
        "pansharpen": list(algorithms).count("otfm:pansharpen"),
        "files": sorted(p.name for p in (home / PLUGIN).glob("*")),
        "setting": QgsSettings().value("otfm/device"),
        "enabled": QgsSettings().value(f"PythonPlugins/{PLUGIN}"),
        "weights": user_weights.exists(),
    }


def install(file: str) -> dict[str, object]:
    installer.installFromZipFile(file)
    return state()


def use() -> bool:
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("otfm:pansharpen")
    parameters = {"PAN": pan, "MS": ms, "OUTPUT": output, "DEVICE": "cpu"}
    return bool(algorithm.run(parameters, QgsProcessingContext(), QgsProcessingFeedback())[1])


states = {"installed": install(previous)}
user_weights.parent.mkdir(parents=True)
user_weights.write_bytes(b"tuned by the user")
QgsSettings().setValue("otfm/device", "cpu")
states["upgraded"] = install(package)
used = use()
installer.uninstallPlugin(PLUGIN, quiet=True)
states["uninstalled"] = state()
print(json.dumps({**states, "used": used}))
sys.stdout.flush()
application.exitQgis()
