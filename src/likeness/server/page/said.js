// What the library found, in plain words of the page's language. Codes and names come from the server, with figures.

import { currentLanguage, t } from "./words.js";

const FINDINGS = {
  en: {
    unreadable: "The file cannot be read.",
    raw: "This is a camera's raw file, which has to be developed first. Export it as TIFF or JPEG.",
    "size-small": "The picture is only {figure} px on its short side. Ask for a larger one, or the original instead of a preview.",
    "no-face": "No face was found. Turn the picture upright, or cut it closer to the face.",
    "several-faces": "{figure} faces were found. Tick those that are to be restored.",
    "face-small": "Only {figure} px wide: little of the person is left in it. Look closely, use Natural, or leave it alone.",
    "face-cut": "Part of the face lies outside the picture ({percent}% of its outline).",
    "face-unclear": "Eyes and mouth could not be measured; an average face took their place. Look closely.",
    "face-turned": "Turned {figure}° to the side: the far eye may come out wrong.",
    "face-tilted": "Looks {figure}° up or down: nose and mouth may come out wrong.",
    "eyes-closed": "Both eyes look closed, and the network may open them. Set the weight of the eyes to 0.",
    "face-dark": "The face is underexposed. Brighten the picture first, then use Low light.",
    "face-bright": "The face is overexposed ({percent}% of the skin): there is no texture left to keep.",
    backlit: "The light comes from behind ({stops} stops). Brighten the face first, then use Low light.",
    "glare-forehead": "A light is reflected on the forehead, and its shape may change. Lower the weight of the forehead.",
    "glare-nose": "A light is reflected on the nose, and its shape may change. Lower the weight of the nose.",
    "glare-spectacles": "A light is reflected on spectacles or around the eyes, and its shape may change. Lower the weight of the eyes.",
    drawing: "It looks drawn or engraved, and would be pulled toward a photograph. Leave it as it is.",
    "background-busy": "The background is busy, and hair may melt into it. Look at the hair's edge.",
    "file-damaged": "The file is damaged, but no pixel is missing. Look at the picture, or copy the file again.",
    "several-pages": "The file holds {figure} pictures, of which only this one is restored.",
    animated: "The file holds an animation or a film, of which only this one picture is restored.",
    "gain-map": "The file holds a gain map for HDR screens, which is left out.",
    hdr: "The file is HDR. The result is sRGB, and what is brighter than white is cut.",
    cmyk: "The file is CMYK, made for print; the result will be sRGB.",
    "profile-damaged": "The colour profile is damaged; colours are taken as sRGB.",
    "profile-missing": "The colour profile is missing; colours may look dull.",
    "wide-gamut": "The colours reach beyond sRGB; on restored faces they are cut to sRGB.",
    grey: "Black and white: the result stays so.",
  },
  zh: {
    unreadable: "文件无法读取。",
    raw: "这是相机的 RAW 文件，需要先冲洗，请导出为 TIFF 或 JPEG。",
    "size-small": "图片短边只有 {figure} 像素，请索取更大的图片或原图。",
    "no-face": "没有找到人脸。请把图片转正，或裁剪得离脸更近。",
    "several-faces": "找到 {figure} 张人脸，请勾选需要修复的。",
    "face-small": "宽仅 {figure} 像素，人物信息所剩不多。请仔细查看，使用“自然”预设，或不修复。",
    "face-cut": "面部有一部分在画面之外（轮廓的 {percent}%）。",
    "face-unclear": "无法测量眼睛和嘴，改用平均脸代替，请仔细查看。",
    "face-turned": "头部侧转 {figure}°，远侧的眼睛可能出错。",
    "face-tilted": "头部俯仰 {figure}°，鼻子和嘴可能出错。",
    "eyes-closed": "双眼似乎闭着，网络可能会把它们睁开。请把眼睛权重设为 0。",
    "face-dark": "面部曝光不足。请先提亮图片，再使用“弱光”预设。",
    "face-bright": "面部曝光过度（皮肤的 {percent}%），已没有可保留的质感。",
    backlit: "逆光（{stops} 档）。请先提亮面部，再使用“弱光”预设。",
    "glare-forehead": "额头有反光，形状可能改变。可降低额头权重。",
    "glare-nose": "鼻子有反光，形状可能改变。可降低鼻子权重。",
    "glare-spectacles": "眼镜或眼周有反光，形状可能改变。可降低眼睛权重。",
    drawing: "看起来是绘画或版画，修复会使其趋向照片，建议保持原样。",
    "background-busy": "背景杂乱，头发可能与之相融，请留意发丝边缘。",
    "file-damaged": "文件有损坏，但像素完整。请查看图片，或重新复制文件。",
    "several-pages": "文件含有 {figure} 张图片，只修复其中这一张。",
    animated: "文件含有动画或视频，只修复其中这一张画面。",
    "gain-map": "文件含有 HDR 屏幕用的增益图，结果中不保留。",
    hdr: "文件为 HDR。结果为 sRGB，比白色更亮的部分会被截断。",
    cmyk: "文件为印刷用 CMYK，结果将是 sRGB。",
    "profile-damaged": "色彩配置文件已损坏，按 sRGB 处理。",
    "profile-missing": "缺少色彩配置文件，颜色可能偏淡。",
    "wide-gamut": "色彩配置超出 sRGB，修复的面部会限制在 sRGB 内。",
    grey: "黑白照片，结果仍为黑白。",
  },
};

const GROUPS = {
  "hair edge": "发丝边缘",
  highlights: "高光",
  iris: "虹膜",
  skin: "皮肤",
  identity: "身份",
  geometry: "五官比例",
  colour: "颜色",
  edges: "边缘",
};

const TITLES = {
  hair_width: "过渡宽度",
  hair_jaggedness: "锯齿程度",
  highlights: "额头与鼻子的明暗变化",
  iris: "放射状纹理",
  skin_texture: "最细纹理",
  plastic_skin: "塑料感皮肤",
  identity: "与修复前的距离",
  stretch: "脸形宽高比",
  face_shape: "脸形",
  jaw: "下颌",
  eye_opening: "睁眼程度",
  eye_distance: "眼距",
  nose_width: "鼻宽",
  nose_length: "鼻长",
  mouth_width: "嘴宽",
  lip_thickness: "唇厚",
  lid_fold: "上眼睑褶皱",
  colour_skin: "皮肤",
  colour_eyes: "眼白",
  overshoot: "过冲（亮线或暗线）",
  seam: "脸部周围接缝",
};

// The library's sentences, in Chinese. What is in brackets is carried over.
const SENTENCES = [
  [/^fades as softly as before$/, "过渡与修复前一样柔和"],
  [/^a soft fade, clearer than before$/, "过渡柔和，比修复前更清楚"],
  [/^cut out hard: the soft fade is gone$/, "像剪出来一样生硬，柔和过渡消失"],
  [/^much harder than before: see that it still fades$/, "比修复前硬得多，请确认仍有过渡"],
  [/^smeared: much softer than before$/, "糊开了，比修复前软得多"],
  [/^softer than before$/, "比修复前更软"],
  [/^fades a little more softly than before$/, "过渡比修复前略柔和"],
  [/^no saw teeth: the outline is as calm as before$/, "没有锯齿，轮廓与修复前一样平稳"],
  [/^the outline is calmer than before$/, "轮廓比修复前更平稳"],
  [/^the outline wanders more: regained strands, or saw teeth\?$/, "轮廓起伏更多：是找回的发丝还是锯齿？"],
  [/^saw teeth or stairs along the edge$/, "边缘有锯齿或台阶"],
  [/^the edge is more jagged than before$/, "边缘比修复前更锯齿"],
  [/^(\d+)% more of the highlights is burnt out to white$/, "高光中又有 $1% 过曝成白"],
  [/^the highlights are as plain as they were$/, "高光与原先一样平"],
  [/^the highlights are alive; before held no texture above its noise$/, "高光有生气；修复前没有高于噪声的质感"],
  [/^the highlights are smooth now; before held only noise, no texture to keep$/, "高光变得平滑；修复前只有噪声，没有可保留的质感"],
  [/^the highlights are alive$/, "高光有生气"],
  [/^the highlights are alive, with more contrast than before$/, "高光有生气，反差比修复前更大"],
  [/^the highlights are smoother: (\d+)% of the variation is left$/, "高光更平滑：变化剩余 $1%"],
  [/^the highlights are flattened: (\d+)% of the variation is left$/, "高光被抹平：变化剩余 $1%"],
  [/^before held no texture above its noise, so none was lost$/, "修复前没有高于噪声的质感，因此没有损失"],
  [/^smooth now; before held only noise, no texture to keep$/, "变得平滑；修复前只有噪声，没有可保留的质感"],
  [/^pores and lines are there as before$/, "毛孔与纹路如前"],
  [/^([\d.]+) times the texture of before: oversharpened, or really regained\?$/, "质感是修复前的 $1 倍：锐化过度，还是真的找回？"],
  [/^more texture than before$/, "质感比修复前多"],
  [/^smoother: (\d+)% of the texture above the noise is left$/, "更平滑：高于噪声的质感剩余 $1%"],
  [/^smoothed away: (\d+)% of the texture above the noise is left$/, "被磨平：高于噪声的质感剩余 $1%"],
  [/^no waxed places$/, "没有蜡状区域"],
  [/^(?:waxed: )?(\d+)% of the skin lost half of its texture$/, "$1% 的皮肤失去一半质感"],
  [/^before showed no texture above its noise$/, "修复前没有高于噪声的纹理"],
  [/^before held no texture above its noise$/, "修复前没有高于噪声的质感"],
  [/^fibres as before, no flat ring$/, "纤维如前，没有变成平环"],
  [/^more texture than before, no flat ring$/, "纹理比修复前多，没有变成平环"],
  [/^no flat ring, though much of the texture is noise$/, "没有变成平环，但纹理多为噪声"],
  [/^plainer: (\d+)% of the texture is left$/, "更平淡：纹理剩余 $1%"],
  [/^a flat ring: (\d+)% of the texture is left$/, "成了平环：纹理剩余 $1%"],
  [/^irises of ([\d.]+) px radius in the picture before are too small to hold texture$/, "虹膜半径仅 $1 像素，太小而没有纹理"],
  [/^no iris can be seen.*$/, "看不到虹膜：闭眼、被遮挡或没有网格"],
  [/^no hair edge with enough contrast in the crop$/, "没有反差足够的发丝边缘"],
  [/^too little of forehead and nose to see$/, "能看到的额头与鼻子太少"],
  [/^too little skin to see$/, "能看到的皮肤太少"],
  [/^too little of it to see$/, "能看到的太少"],
  [/^too few clear edges$/, "清楚的边缘太少"],
  [/^no mesh to find the lids by$/, "没有网格，无法定位眼睑"],
  [/^as before$/, "如前"],
  [/^as before \(within ([\d.]+)%\)$/, "如前（变化在 $1% 以内）"],
  [/^as round as before$/, "与修复前一样圆"],
  [/^([\d.]+)% wider than before$/, "比修复前宽 $1%"],
  [/^([\d.]+)% narrower than before$/, "比修复前窄 $1%"],
  [/^([\d.]+)% more; the mesh alone moves by ([\d.]+)%$/, "大了 $1%；网格自身误差为 $2%"],
  [/^([\d.]+)% less; the mesh alone moves by ([\d.]+)%$/, "小了 $1%；网格自身误差为 $2%"],
  [/^a fold where there was none$/, "原本没有的褶皱出现了"],
  [/^the fold is gone$/, "褶皱消失了"],
  [/^a deeper fold$/, "褶皱更深"],
  [/^a shallower fold$/, "褶皱更浅"],
  [/^the same person$/, "同一个人"],
  [/^probably the same person, but moved far: look at both$/, "大概是同一个人，但变化较大，请对照查看"],
  [/^as far apart as two persons$/, "相差如同两个人"],
  [/^the same colour$/, "颜色相同"],
  [/^(a little|another colour:) (darker|lighter|greener|redder|bluer|yellower)$/, (_, much, way) =>
    `${much === "a little" ? "略微" : "颜色变了："}${{ darker: "偏暗", lighter: "偏亮", greener: "偏绿", redder: "偏红", bluer: "偏蓝", yellower: "偏黄" }[way]}`],
  [/^no lines along edges$/, "边缘没有亮线或暗线"],
  [/^faint lines along edges$/, "边缘有隐约的线"],
  [/^bright or dark lines along edges$/, "边缘有亮线或暗线"],
  [/^no seam$/, "没有接缝"],
  [/^a faint seam$/, "有隐约的接缝"],
  [/^a seam that can be seen$/, "有可见的接缝"],
  [/^the face's surroundings are not in the picture$/, "脸部周围不在画面内"],
  [/^the faces cannot be laid on one another.*$/, "两张脸无法对齐：内容不同？"],
  [/^the face is only (\d+) px across with hair: (?:much of it is guessed|fine figures say little)$/, "连同头发宽仅 $1 像素，多为推测，细微数据参考有限"],
  [/^the face mesh was not found; an average face (?:was laid on the detected points|took its place.*)$/, "没有找到面部网格，改用平均脸"],
  [/^not converged in (.*): only (\d+)% of the way to the restored face was gone$/, (_, regions, share) =>
    `未收敛（${regions.split(", ").map((region) => t(`region.${region}`)).join("、")}）：只走了到修复结果的 ${share}%`],
  [/^the picture is too small for its grain to be measured.*$/, "图片太小，无法测量颗粒，因此没有铺回"],
  [/^degradation_scale ([\d.]+) is above 1\.1:.*$/, "预退化强度 $1 高于 1.1：网络会开始编造痣和疤痕，请仔细看皮肤"],
  [/^latent_step_decay ([\d.]+) is below 0\.02:.*$/, "步长 $1 低于 0.02：不收敛，结果接近原图"],
  [/^(?:(\d+%)|less than (1%)) of the face held no pixels.*/, (_, much, little) => `脸部 ${much ?? `不到 ${little}`} 没有像素，已用周围填补，该处未修复`],
  [/identity.*likeness\[evaluate\].*/, "未安装身份模型"],
  // Why a picture of a job has no result, or not all of it.
  [/^no face was found in the picture$/, "图片中没有找到人脸"],
  [/^none of the (\d+) faces found was selected.*/, "找到 $1 张人脸，但都不在所选之列"],
  [/^(\d+) faces? could not be restored$/, "$1 张人脸未能修复"],
  [/^no face could be restored.*/, "没有一张人脸能够修复"],
  [/^the picture is no picture that can be read.*/, "这个文件不是可读取的图片，请使用 JPEG、PNG、TIFF、WebP、BMP、GIF、HEIC 或 AVIF"],
  [/^the picture is a camera's raw file.*/, "这是相机的 RAW 文件，需要先冲洗，请导出为 TIFF 或 JPEG"],
  [/^the picture is empty.*/, "文件为空，请重新复制或下载"],
  [/^the picture has (\d+)x(\d+) = .*/, "图片为 $1×$2，像素过多，请先缩小"],
  [/^the picture is larger than the decoder allows.*/, "图片过大，请先缩小"],
  [/^(?:the picture does not fit into memory|not enough memory for this picture).*/, "内存不足以处理这张图片，请先缩小"],
  [/^the picture (?:is|begins as) \S+ but (?:cut short or damaged|cannot be opened).*/, "文件不完整或已损坏，请重新复制或下载"],
  [/^the picture (?:holds|has) .*samples.*/, "像素格式不受支持，请另存为 8 或 16 位 RGB"],
  [/^the picture is JPEG of over.*/, "JPEG 的扫描次数异常，请另存为 PNG"],
  [/^the picture is gone from the server.*/, "图片已不在服务器上，请重新发送"],
  [/^the disk failed.*/, "磁盘出错，请检查服务器"],
];

export function findingSentence(finding) {
  const figure = finding.figure ?? 0;
  const values = {
    figure: String(Math.round(figure)),
    percent: String(Math.round(figure * 100)),
    stops: figure.toFixed(1),
  };
  return FINDINGS[currentLanguage()][finding.code].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** A sentence of the library in the page's language; "" where the page has none for it, as a figure speaks for itself. */
export function translated(sentence) {
  if (currentLanguage() === "en") return sentence[0].toUpperCase() + sentence.slice(1);
  for (const [pattern, words] of SENTENCES) if (pattern.test(sentence)) return sentence.replace(pattern, words);
  return "";
}

export function groupName(group) {
  return currentLanguage() === "en" ? group[0].toUpperCase() + group.slice(1) : GROUPS[group];
}

export function figureTitle(figure) {
  return currentLanguage() === "en" ? figure.title : TITLES[figure.name];
}

export { FINDINGS };
