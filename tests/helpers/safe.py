"""Sentinel-2 products in SAFE folders of the documented structure, old and new; all values are made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from helpers.scenes import landscape, save, sense
from osgeo import gdal

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
RATIOS = {**dict.fromkeys(BANDS, 2), **dict.fromkeys(("B02", "B03", "B04", "B08"), 1), "B01": 6, "B09": 6, "B10": 6}
CENTRES = (442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1373.5, 1613.7, 2202.4)
CLASSES = (
    *("NODATA", "SATURATED_DEFECTIVE", "DARK_FEATURE_SHADOW", "CLOUD_SHADOW", "VEGETATION", "NOT_VEGETATED"),
    *("WATER", "UNCLASSIFIED", "CLOUD_MEDIUM_PROBA", "CLOUD_HIGH_PROBA", "THIN_CIRRUS", "SNOW_ICE"),
)
SCALE_L1C = '<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
SCALE_L2A = """<QUANTIFICATION_VALUES_LIST>
        <BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
        <AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE>
        <WVP_QUANTIFICATION_VALUE unit="cm">1000.0</WVP_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>"""
SCALE_OLD_L2A = """<L1C_L2A_Quantification_Values_List>
        <L1C_TOA_QUANTIFICATION_VALUE unit="none">1000</L1C_TOA_QUANTIFICATION_VALUE>
        <L2A_BOA_QUANTIFICATION_VALUE unit="none">10000</L2A_BOA_QUANTIFICATION_VALUE>
        <L2A_AOT_QUANTIFICATION_VALUE unit="none">1000.0</L2A_AOT_QUANTIFICATION_VALUE>
        <L2A_WVP_QUANTIFICATION_VALUE unit="cm">1000.0</L2A_WVP_QUANTIFICATION_VALUE>
      </L1C_L2A_Quantification_Values_List>"""
TEMPLATE = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level}.xsd">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{time}</PRODUCT_START_TIME><PRODUCT_STOP_TIME>{time}</PRODUCT_STOP_TIME>{uri}
      <PROCESSING_LEVEL>Level-{level}</PROCESSING_LEVEL><PRODUCT_TYPE>S2MSI{level}</PRODUCT_TYPE>
      <PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
      <PRODUCT_DOI>https://doi.org/10.5270/INVENTED</PRODUCT_DOI><GENERATION_TIME>{time}</GENERATION_TIME>
      <PREVIEW_IMAGE_URL>Not applicable</PREVIEW_IMAGE_URL><PREVIEW_GEO_INFO>Not applicable</PREVIEW_GEO_INFO>
      <Datatake datatakeIdentifier="GS2A_20220615T101559_028000_N{baseline}">
        <SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME><DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
        <DATATAKE_SENSING_START>{time}</DATATAKE_SENSING_START><SENSING_ORBIT_NUMBER>65</SENSING_ORBIT_NUMBER>
        <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
      </Datatake>
      <Query_Options completeSingleTile="true"><PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT></Query_Options>
      <Product_Organisation>{granules}</Product_Organisation>
    </Product_Info>
    <{characteristics}>
      <Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX></Special_Values>
      <Image_Display_Order><RED_CHANNEL>3</RED_CHANNEL><GREEN_CHANNEL>2</GREEN_CHANNEL>
        <BLUE_CHANNEL>1</BLUE_CHANNEL></Image_Display_Order>
      {scale}{offsets}
      <Reflectance_Conversion><U>0.968</U><Solar_Irradiance_List>{irradiances}</Solar_Irradiance_List>
      </Reflectance_Conversion>
      <Spectral_Information_List>{spectral}</Spectral_Information_List>
      <PHYSICAL_GAINS bandId="0">4.1</PHYSICAL_GAINS><REFERENCE_BAND>3</REFERENCE_BAND>
      {classes}
    </{characteristics}>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Product_Footprint><Product_Footprint><Global_Footprint><EXT_POS_LIST>36.1 9.0 36.1 9.1 36.0 9.1 36.0 9.0 36.1 9.0
      </EXT_POS_LIST></Global_Footprint></Product_Footprint><RASTER_CS_TYPE>POINT</RASTER_CS_TYPE>
      <PIXEL_ORIGIN>1</PIXEL_ORIGIN></Product_Footprint>
    <Coordinate_Reference_System><GEO_TABLES version="1">EPSG</GEO_TABLES><HORIZONTAL_CS_TYPE>GEOGRAPHIC
      </HORIZONTAL_CS_TYPE></Coordinate_Reference_System>
  </n1:Geometric_Info>
  <n1:Auxiliary_Data_Info><GIPP_List><GIPP_FILENAME type="GIP_INVENT" version="0001">S2A_OPER_GIP</GIPP_FILENAME>
    </GIPP_List></n1:Auxiliary_Data_Info>
  <n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>0.0</Cloud_Coverage_Assessment>
    <Technical_Quality_Assessment><DEGRADED_ANC_DATA_PERCENTAGE>0.0</DEGRADED_ANC_DATA_PERCENTAGE>
    </Technical_Quality_Assessment></n1:Quality_Indicators_Info>
</n1:Level-{level}_User_Product>
"""


@dataclass
class Safe:
    """A product. Files of baselines before 02.04 have long names and may have several tiles; offsets begin with 04.00.

    cloud   rows and columns of 10 m pixels that the product's masks call clouds
    images  of the first tile, by band and by file
    """

    level: str = "L1C"
    baseline: str = "04.00"
    tiles: Sequence[str] = ("T32TQM",)
    side: int = 360
    cloud: tuple[slice, slice] | None = None
    without: Sequence[str] = ()
    saturated: bool = False
    images: dict[str, np.ndarray] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def long(self) -> bool:
        return self.baseline < "02.04"

    @property
    def offset(self) -> int:
        return -1000 if self.baseline >= "04.00" else 0

    @property
    def name(self) -> str:
        if self.long:
            maker = "OPER" if self.level == "L1C" else "USER"
            return f"S2A_{maker}_PRD_MSI{self.level}_PDMC_20220615T130000_R065_V20220615T101559_20220615T101559"
        number = self.baseline.replace(".", "")
        return f"S2A_MSI{self.level}_20220615T101559_N{number}_R065_{self.tiles[0]}_20220615T130000"

    def write(self, folder: Path) -> Path:
        """Write the product below a folder; returns its own folder."""
        root = folder / f"{self.name}.SAFE"
        granules = [self._write_granule(root, tile, number) for number, tile in enumerate(self.tiles)]
        xml = f"S2A_OPER_MTD_SAF{self.level}_PDMC_20220615T130000.xml" if self.long else f"MTD_MSI{self.level}.xml"
        (root / xml).write_text(self._describe(granules))
        (root / "manifest.safe").write_text("<xfdu:XFDU xmlns:xfdu='urn:ccsds:schema:xfdu:1'/>")
        (root / "INSPIRE.xml").write_text("<gmd:MD_Metadata xmlns:gmd='http://www.isotc211.org/2005/gmd'/>")
        strip = root / "DATASTRIP" / f"DS_{self.baseline}"
        strip.mkdir(parents=True)
        (strip / "MTD_DS.xml").write_text("<n1:Level-1C_DataStrip_ID xmlns:n1='urn:x'/>")
        return root

    def _write_granule(self, root: Path, tile: str, number: int) -> tuple[str, list[str]]:
        maker = "OPER" if self.level == "L1C" else "USER"
        stem = f"S2A_{maker}_MSI_{self.level}_TL_SGS__20220615T130000_A028000_{tile}"
        identifier = f"{stem}_N{self.baseline}"
        folder = f"GRANULE/{identifier}" if self.long else f"GRANULE/{self.level}_{tile}_A028000_20220615T101559"
        stem = stem if self.long else f"{tile}_20220615T101559"
        origin = (5e5, 10.0, 0.0, 4e6 - 1e5 * number, 0.0, -10.0)
        sharp = landscape(len(BANDS), self.side, self.side, seed=number) - self.offset
        names = []
        for n, (band, ratio) in enumerate(RATIOS.items()):
            if band == "B10" and self.level == "L2A":
                continue
            values = np.rint(sharp[n] if ratio == 1 else sense(sharp[n : n + 1], ratio)[0]).astype("uint16")
            values[:8] = 0  # outside of the swath
            if self.saturated and band in ("B04", "B11"):
                values[values.shape[0] // 2 :][:20, :20] = 65535
            copies = [ratio] if self.level == "L1C" else [r for r in (1, 2, 6) if r >= ratio]
            for copy in copies:
                ending = f"_{10 * copy}m" if self.level == "L2A" else ""
                sub = f"IMG_DATA/R{10 * copy}m" if self.level == "L2A" else "IMG_DATA"
                path = root / folder / sub / f"{stem}_{band}{ending}.jp2"
                names.append(path.stem if self.long else f"{folder}/{sub}/{path.stem}")
                if band not in self.without:
                    write_jp2(path, values[:: copy // ratio, :: copy // ratio], origin, 10.0 * copy)
                if number == 0 and copy == ratio:
                    self.images[band], self.files[band] = values, path
        xml = f"S2A_OPER_MTD_{self.level}_TL_SGS__{tile}.xml" if self.long else "MTD_TL.xml"
        (root / folder / xml).write_text("<n1:Level-1C_Tile_ID xmlns:n1='urn:x'/>")
        self._write_masks(root / folder, stem, origin)
        return identifier, names

    def _write_masks(self, folder: Path, stem: str, origin: tuple[float, ...]) -> None:
        cloud = np.zeros((self.side, self.side), dtype=np.uint8)
        if self.cloud:
            cloud[self.cloud] = 1
        tci = np.zeros((3, self.side, self.side), dtype=np.uint8)
        quality = folder / "QI_DATA"
        if self.level == "L2A":
            write_jp2(folder / "IMG_DATA" / "R20m" / f"{stem}_SCL_20m.jp2", (4 + 5 * cloud)[::2, ::2], origin, 20.0)
            write_jp2(quality / "MSK_CLDPRB_20m.jp2", (100 * cloud)[::2, ::2], origin, 20.0)
            write_jp2(folder / "IMG_DATA" / "R10m" / f"{stem}_TCI_10m.jp2", tci, origin, 10.0)
        elif self.baseline >= "04.00":
            write_jp2(
                quality / "MSK_CLASSI_B00.jp2", np.stack([cloud, 0 * cloud, 0 * cloud])[:, ::6, ::6], origin, 60.0
            )
            write_jp2(folder / "IMG_DATA" / f"{stem}_TCI.jp2", tci, origin, 10.0)
        else:
            quality.mkdir(parents=True)
            name = f"{stem.replace('_MSI_L1C_TL_', '_MSK_CLOUDS_')}_B00_MSIL1C" if self.long else "MSK_CLOUDS_B00"
            (quality / f"{name}.gml").write_text(self._draw_gml(origin))
        write_jp2(quality / f"{stem}_PVI.jp2", tci[:, ::32, ::32], origin, 320.0)

    def _draw_gml(self, origin: tuple[float, ...]) -> str:
        members = ""
        if self.cloud:
            rows, columns = self.cloud
            x0, x1 = (origin[0] + 10 * c for c in (columns.start, columns.stop))
            y0, y1 = (origin[3] - 10 * r for r in (rows.start, rows.stop))
            points = " ".join(f"{x:.0f} {y:.0f}" for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)))
            members = f"""<eop:maskMembers>
    <eop:MaskFeature gml:id="OPAQUE.0">
      <eop:maskType codeSpace="urn:gs2:S2PDGS:maskType">OPAQUE</eop:maskType>
      <eop:extentOf><gml:Polygon gml:id="OPAQUE.0_Polygon">
        <gml:exterior><gml:LinearRing><gml:posList srsDimension="2">{points}</gml:posList></gml:LinearRing>
        </gml:exterior></gml:Polygon></eop:extentOf>
    </eop:MaskFeature></eop:maskMembers>"""
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" gml:id="S2A_MASK">
  <gml:name>MSK_CLOUDS_pixels_mask_INVENTED</gml:name>
  <gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG:8.7.1:32632">
    <gml:lowerCorner>500000 3890220</gml:lowerCorner><gml:upperCorner>609780 4000020</gml:upperCorner>
  </gml:Envelope></gml:boundedBy>
  {members}
</eop:Mask>"""

    def _describe(self, granules: Sequence[tuple[str, list[str]]]) -> str:
        """Write the metadata of the product."""
        second, old = self.level == "L2A", self.long
        level, uri = ("2A", "PRODUCT_URI_2A" if old else "PRODUCT_URI") if second else ("1C", "PRODUCT_URI")
        classes = "".join(
            f"<Scene_Classification_ID><SCENE_CLASSIFICATION_TEXT>SC_{text}</SCENE_CLASSIFICATION_TEXT>"
            f"<SCENE_CLASSIFICATION_INDEX>{n}</SCENE_CLASSIFICATION_INDEX></Scene_Classification_ID>"
            for n, text in enumerate(CLASSES)
        )
        return TEMPLATE.format(
            time="2022-06-15T10:15:59.024Z",
            level=level,
            uri="" if old and not second else f"<{uri}>{self.name}.SAFE</{uri}>",
            baseline=self.baseline,
            granules=self._list_granules(granules),
            characteristics="L2A_Product_Image_Characteristics" if second and old else "Product_Image_Characteristics",
            scale=(SCALE_OLD_L2A if old else SCALE_L2A) if second else SCALE_L1C,
            offsets=self._list_offsets(),
            irradiances="".join(
                f'<SOLAR_IRRADIANCE bandId="{n}" unit="W/m\u00b2/\u00b5m">1800.5</SOLAR_IRRADIANCE>'
                for n in range(len(BANDS))
            ),
            spectral="".join(map(_describe_band, range(len(BANDS)))),
            classes=f"<Scene_Classification_List>{classes}</Scene_Classification_List>" if second else "",
        )

    def _list_granules(self, granules: Sequence[tuple[str, list[str]]]) -> str:
        tag = ("IMAGE_ID" if self.long else "IMAGE_FILE") + ("_2A" if self.level == "L2A" and self.long else "")
        element = "Granules" if self.long else "Granule"
        return "".join(
            f'<Granule_List><{element} datastripIdentifier="S2A_OPER_MSI_{self.level}_DS_SGS__INVENTED" '
            f'granuleIdentifier="{identifier}" imageFormat="JPEG2000">'
            + "".join(f"<{tag}>{name}</{tag}>" for name in names)
            + f"</{element}></Granule_List>"
            for identifier, names in granules
        )

    def _list_offsets(self) -> str:
        if not self.offset:
            return ""
        name = "BOA_ADD_OFFSET" if self.level == "L2A" else "RADIO_ADD_OFFSET"
        group = "BOA_ADD_OFFSET_VALUES_LIST" if self.level == "L2A" else "Radiometric_Offset_List"
        offsets = "".join(f'<{name} band_id="{n}">{self.offset}</{name}>' for n in range(len(BANDS)))
        return f"<{group}>{offsets}</{group}>"


def _describe_band(number: int) -> str:
    band, centre = BANDS[number], CENTRES[number]
    return (
        f'<Spectral_Information bandId="{number}" physicalBand="{band[0] + band[1:].lstrip("0")}">'
        f"<RESOLUTION>{10 * RATIOS[band]}</RESOLUTION><Wavelength>"
        f'<MIN unit="nm">{centre - 15:.0f}</MIN><MAX unit="nm">{centre + 15:.0f}</MAX>'
        f'<CENTRAL unit="nm">{centre}</CENTRAL></Wavelength><Spectral_Response><STEP unit="nm">1</STEP>'
        f"<VALUES>{'0.001 0.5 0.98 ' * 40}</VALUES></Spectral_Response></Spectral_Information>"
    )


def write_jp2(path: Path, values: np.ndarray, origin: Sequence[float], pixel: float) -> None:
    """Write (h, w) or (bands, h, w) as JPEG 2000 without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = values if values.ndim == 3 else values[None]
    transform = (origin[0], pixel, 0.0, origin[3], 0.0, -pixel)
    plain = save(path.with_suffix(".tif"), values, str(values.dtype), transform, 32632)
    options = ["QUALITY=100", "REVERSIBLE=YES", "YCBCR420=NO"]
    gdal.GetDriverByName("JP2OpenJPEG").CreateCopy(str(path), gdal.Open(str(plain)), options=options)
    plain.unlink()
    path.with_name(f"{path.name}.aux.xml").unlink(missing_ok=True)
